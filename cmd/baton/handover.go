package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"baton/impl/daemon/control"
	"baton/impl/ha"
)

func handoverCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "handover [SOCKET]",
		Short: "Hand the MASTER role over to the peer",
		Long: "Handover asks the node behind the control socket to give the MASTER role to its peer, and waits until the\n" +
			"peer serves. It is refused, and the gate is named, if the node is not MASTER or the peer is not ready. It fails\n" +
			"if the role comes back, for instance because the peer has died meanwhile, or if nobody serves after 5 s.\n" +
			"A preferred node with preempt: after-sync asks its peer for the role again at once: the role comes back.",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeSocket,
		RunE: func(c *cobra.Command, args []string) error {
			return withNode(c.Context(), args, func(ctx context.Context, client *control.Client) error {
				return handOver(ctx, c.OutOrStdout(), client)
			})
		},
	}
}

// handoverEvery is the interval at which a node that hands over is queried.
const handoverEvery = 20 * time.Millisecond

// handOver hands the role over and prints who serves then.
func handOver(ctx context.Context, out io.Writer, client *control.Client) error {
	before, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if err := client.Handover(ctx); err != nil {
		return err
	}
	now := before
	for {
		asked, err := client.Status(ctx)
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return fmt.Errorf("the node took the request, and its end is unknown: %w", ctx.Err())
		case err != nil && ctx.Err() != nil:
			return fmt.Errorf("nobody is known to serve %v after the request: %s is %s, and of %s it knows that it is %s",
				controlLimit, now.Node, now.Role, now.Peer.Node, peerRole(now))
		case err != nil:
			return fmt.Errorf("the node took the request, and its end is unknown: %w", err)
		}
		now = asked
		switch ended, err := handedOver(before, now); {
		case err != nil:
			return err
		case ended:
			_, err := fmt.Fprintf(out, "%s is MASTER, epoch %d\n", now.Peer.Node, now.Peer.Epoch)
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(handoverEvery):
		}
	}
}

// handedOver reports whether the peer serves, given the node's status before its handover and now.
// It is an error if the node serves again: a claim raises the epoch.
func handedOver(before, now control.Status) (bool, error) {
	master := ha.Master.String()
	switch {
	case now.Role == master && now.Epoch > before.Epoch && now.Peer.Epoch > before.Epoch:
		return false, fmt.Errorf("%s took the role, epoch %d, and gave it back: %s is Master again, epoch %d", now.Peer.Node, now.Peer.Epoch, now.Node, now.Epoch)
	case now.Role == master && now.Epoch > before.Epoch:
		return false, fmt.Errorf("%s has not taken the role: %s is Master again, epoch %d", now.Peer.Node, now.Node, now.Epoch)
	case now.Role == master:
		return false, nil
	}
	return peerRole(now) == master && now.Peer.Epoch > before.Epoch, nil
}

// peerRole is what a node knows of its peer's role.
func peerRole(s control.Status) string {
	if !s.Peer.Known {
		return "not heard"
	}
	return s.Peer.Role
}
