package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"baton/impl/daemon/control"
	"baton/impl/daemon/speaker"
)

// defaultSpeaker is the control socket of a speaker if the command line names none.
const defaultSpeaker = "/run/baton/bfd.sock"

func bfdCommand() *cobra.Command {
	o := speaker.Options{LogTo: os.Stderr}
	c := &cobra.Command{
		Use:   "bfd --config FILE",
		Short: "Run a BFD speaker, or talk to one",
		Long: "Bfd runs the BFD sessions of a configuration (RFC 5880, 5881, 5883, 9747) until SIGTERM. It then signals AdminDown\n" +
			"to the peers and ends. A mistake in the configuration is reported with file, line and RFC section; exit code 2.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return speaker.Serve(c.Context(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.ConfigFile, "config", "", "the sessions (YAML)")
	f.BoolVar(&o.Ordinary, "ordinary", false, "do not use real-time scheduling, locked memory or a tuned garbage collector")
	_ = c.MarkFlagRequired("config")
	_ = c.MarkFlagFilename("config", "yaml", "yml")

	socket := defaultSpeaker
	for _, sub := range []*cobra.Command{
		bfdStatusCommand(&socket), bfdSessionCommand(&socket, "down", "Set a session to AdminDown", func(ctx context.Context, c *control.Client, name string) error {
			return c.BFDAdminDown(ctx, name, true)
		}),
		bfdSessionCommand(&socket, "up", "Release a session from AdminDown", func(ctx context.Context, c *control.Client, name string) error {
			return c.BFDAdminDown(ctx, name, false)
		}),
		bfdSessionCommand(&socket, "reset", "Report a reset of the forwarding plane (diagnostic 4)", func(ctx context.Context, c *control.Client, name string) error {
			return c.BFDReset(ctx, name)
		}),
		bfdSessionCommand(&socket, "poll", "Run a Poll Sequence, which verifies both directions in Demand mode", func(ctx context.Context, c *control.Client, name string) error {
			return c.BFDPoll(ctx, name)
		}),
		bfdIntervalsCommand(&socket), bfdDemandCommand(&socket),
	} {
		sub.Flags().StringVar(&socket, "socket", defaultSpeaker, "the speaker's control socket")
		must(sub.MarkFlagFilename("socket", "sock"))
		sub.ValidArgsFunction = completeSession(&socket)
		c.AddCommand(sub)
	}
	return c
}

// completeSession completes the first argument to the sessions of the speaker,
// if the speaker answers.
func completeSession(socket *string) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
		if len(args) > 0 || c.Name() == "status" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		_ = withNode(c.Context(), []string{*socket}, func(ctx context.Context, client *control.Client) error {
			status, err := client.BFDStatus(ctx)
			for _, s := range status.Sessions {
				names = append(names, s.Name)
			}
			return err
		})
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func bfdSessionCommand(socket *string, verb, short string, do func(context.Context, *control.Client, string) error) *cobra.Command {
	return &cobra.Command{Use: verb + " SESSION", Short: short, Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return withNode(c.Context(), []string{*socket}, func(ctx context.Context, client *control.Client) error {
			return do(ctx, client, args[0])
		})
	}}
}

func bfdIntervalsCommand(socket *string) *cobra.Command {
	return &cobra.Command{
		Use: "intervals SESSION TX RX", Short: "Change a session's intervals by a Poll Sequence", Args: cobra.ExactArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			tx, err := time.ParseDuration(args[1])
			if err != nil {
				return badInput("%w", err)
			}
			rx, err := time.ParseDuration(args[2])
			if err != nil {
				return badInput("%w", err)
			}
			return withNode(c.Context(), []string{*socket}, func(ctx context.Context, client *control.Client) error {
				return client.BFDIntervals(ctx, args[0], tx, rx)
			})
		},
	}
}

func bfdDemandCommand(socket *string) *cobra.Command {
	return &cobra.Command{
		Use: "demand SESSION on|off", Short: "Turn Demand mode on or off: with it the peer sends only answers to Polls", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			on := args[1] == "on"
			if !on && args[1] != "off" {
				return badInput("demand: %q is neither on nor off", args[1])
			}
			return withNode(c.Context(), []string{*socket}, func(ctx context.Context, client *control.Client) error {
				return client.BFDDemand(ctx, args[0], on)
			})
		},
	}
}

func bfdStatusCommand(socket *string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "status", Short: "Show a speaker's sessions", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return withNode(c.Context(), []string{*socket}, func(ctx context.Context, client *control.Client) error {
			status, err := client.BFDStatus(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(status)
			}
			return printSessions(os.Stdout, status)
		})
	}}
	c.Flags().BoolVar(&asJSON, "json", false, "print all fields as JSON")
	return c
}

func printSessions(w io.Writer, s control.BFDStatus) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "session\tpeer\tstate\tdiag\ttransmit\tdetection\tsent\treceived\techo")
	for _, x := range s.Sessions {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%v\t%v\t%d\t%d\t%s\n",
			x.Name, x.Peer, x.State, x.Diag, x.Transmit, x.Detection, x.Counters.Sent, x.Counters.Received, echoCell(x.Echo))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return printDiscarded(w, s)
}

// echoCell summarises a session's Echo function: the direction, our interval, and how
// many echo packets were sent and came back.
func echoCell(e *control.BFDEcho) string {
	switch {
	case e == nil:
		return "-"
	case e.Transmit == 0:
		return fmt.Sprintf("returned to %v", e.OursMinRx)
	case !e.Active:
		return "not sent"
	}
	return fmt.Sprintf("%v, %d of %d back", e.Transmit, e.Received, e.Sent)
}

// printDiscarded prints how many packets were discarded, by reason.
func printDiscarded(w io.Writer, s control.BFDStatus) error {
	discarded := map[string]uint64{}
	maps.Copy(discarded, s.Filtered)
	for _, x := range s.Sessions {
		for reason, n := range x.Counters.Dropped {
			discarded[reason] += n
		}
	}
	if s.NoSession > 0 {
		discarded["no_session"] = s.NoSession
	}
	if len(discarded) == 0 {
		return nil
	}
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(discarded)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, discarded[reason]))
	}
	_, err := fmt.Fprintln(w, "discarded:", strings.Join(reasons, ", "))
	return err
}
