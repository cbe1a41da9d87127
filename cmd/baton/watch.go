package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"baton/impl/daemon/control"
	"baton/impl/ha"
	"baton/impl/node"
)

// watchEvery is the interval at which a watched node is queried.
const watchEvery = 500 * time.Millisecond

// barWidth is the length of the sync bar.
const barWidth = 20

// watch shows a node until the context ends. A terminal shows one picture that is redrawn;
// other outputs get one picture after the other. A node that does not answer is asked again.
func watch(ctx context.Context, out *os.File, args []string, show func(io.Writer, control.Status) error) error {
	begin, end := "", "\n"
	if isTerminal(out) {
		begin, end = "\x1b[H\x1b[J", ""
	}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		picture, err := look(ctx, args, show)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			picture = err.Error() + "\n"
		}
		if _, err := io.WriteString(out, begin+picture+end); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// look asks the node once.
func look(ctx context.Context, args []string, show func(io.Writer, control.Status) error) (string, error) {
	var b strings.Builder
	err := withNode(ctx, args, func(ctx context.Context, client *control.Client) error {
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		return show(&b, status)
	})
	return b.String(), err
}

// printWatch shows the changing parts of a status on one screen. Of the gates it shows those
// that keep the node from the role.
func printWatch(w io.Writer, s control.Status) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "node\t%s\t%s, epoch %d, lease %v\n", s.Node, s.Role, s.Epoch, s.Lease.Round(time.Millisecond))
	fmt.Fprintf(table, "peer\t%s\t%s, epoch %d\n", s.Peer.Node, s.Peer.Role, s.Peer.Epoch)
	for _, alarm := range s.Alarms {
		fmt.Fprintf(table, "ALARM\t\t%s\n", alarm)
	}
	fmt.Fprintf(table, "sync\t%s\t%s %d of %d entries, %.0f entries/s, lag %d\n",
		s.Sync.Phase, bar(s.Sync.Percent), s.Sync.Entries, s.Sync.Total, s.Sync.Rate, s.Sync.Lag)
	fmt.Fprintf(table, "digest\t%s\t%s\n", s.Sync.Digest, s.Digest)
	for _, p := range s.Paths {
		fmt.Fprintf(table, "bfd %s\t%s\tdetection %v\n", p.Name, p.State, p.Detection)
	}
	for _, g := range s.Gates {
		if blocks(s.Role, g) {
			fmt.Fprintf(table, "gate %s\tclosed\tfor %v: %s\n", g.Name, g.For.Round(100*time.Millisecond), g.Why)
		}
	}
	return table.Flush()
}

// before are the gates that keep a node from claiming the role by itself.
const before = ha.LinksUp | ha.DataplaneReady | ha.Reachable | ha.Arbitrated | ha.NoMaster | ha.HoldDown | ha.InSync

// blocks reports whether a gate keeps a node from the role, or a MASTER from handing it over.
func blocks(role string, gate node.GateStatus) bool {
	closed := before
	if role == ha.Master.String() {
		closed = ha.PeerReady
	}
	return !gate.Open && slices.Contains(closed.Names(), gate.Name)
}

// bar shows a share of a hundred.
func bar(percent float64) string {
	full := int(min(max(percent, 0), 100) / 100 * barWidth)
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", barWidth-full) + "]"
}
