package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
)

func backendCommand() *cobra.Command {
	c := &cobra.Command{Use: "backend", Short: "Add, change, drain or delete a backend of a running pair"}
	var limit time.Duration
	drain := backendVerb("drain", "Send no new flows to a backend; open flows continue", func(ctx context.Context, client *control.Client, service string, backend netip.AddrPort) error {
		if limit < 0 {
			return badInput("--for %v is past; use 0s to move flows at once", limit)
		}
		return said(client.Drain(ctx, service, backend, limit), "%s: %v gets no new flows", service, backend)
	})
	drain.Flags().DurationVar(&limit, "for", 5*time.Minute, "how long UDP flows may stay on the backend; after that they move to another one")
	c.AddCommand(drain, backendVerb("ready", "End a drain: the backend gets new flows again", func(ctx context.Context, client *control.Client, service string, backend netip.AddrPort) error {
		return said(client.Ready(ctx, service, backend), "%s: %v gets new flows", service, backend)
	}))
	weight, changed := 1, 0
	add := backendEdit(config.AddBackend, "add", "Add a backend to a service", &weight)
	add.Flags().IntVar(&weight, "weight", 1, "share of new flows, relative to the other backends")
	set := backendEdit(config.SetBackend, "set", "Change the weight of a backend", &changed)
	set.Use = "set SERVICE ADDRESS:PORT --weight N [SOCKET]"
	set.Flags().IntVar(&changed, "weight", 0, "share of new flows, relative to the other backends")
	must(set.MarkFlagRequired("weight"))
	c.AddCommand(add, set, backendEdit(config.DelBackend, "del", "Remove a backend from a service; its open flows continue", &weight))
	return c
}

// said prints what a command has done, unless it failed.
func said(err error, format string, args ...any) error {
	if err == nil {
		fmt.Printf(format+"\n", args...)
	}
	return err
}

func backendEdit(verb config.EditVerb, word, short string, weight *int) *cobra.Command {
	return backendVerb(word, short, func(ctx context.Context, client *control.Client, service string, backend netip.AddrPort) error {
		return printChanges(client.Edit(ctx, config.Edit{Verb: verb, Service: service, Backend: backend, Weight: *weight}))
	})
}

func backendVerb(word, short string, do func(context.Context, *control.Client, string, netip.AddrPort) error) *cobra.Command {
	return &cobra.Command{
		Use: word + " SERVICE ADDRESS:PORT [SOCKET]", Short: short, Args: cobra.RangeArgs(2, 3), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			backend, err := netip.ParseAddrPort(args[1])
			if err != nil {
				return badInput("%q is not an address and port; write it as 198.18.1.11:80", args[1])
			}
			return withNode(c.Context(), args[2:], func(ctx context.Context, client *control.Client) error {
				return do(ctx, client, args[0], backend)
			})
		},
	}
}
