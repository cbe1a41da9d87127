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

// defaultSpeaker is where a speaker's control socket is looked for if none is named.
const defaultSpeaker = "/run/baton/bfd.sock"

func bfdCommand() *cobra.Command {
	o := speaker.Options{LogTo: os.Stderr}
	c := &cobra.Command{
		Use:   "bfd --config FILE",
		Short: "Run a BFD speaker, or talk to one",
		Long: "Bfd runs the BFD sessions of a configuration (RFC 5880, 5881, 5883, 9747) until SIGTERM, which holds them\n" +
			"down first. A mistake in the configuration is one line with file, line and the RFC's section; exit 2.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return speaker.Serve(c.Context(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.ConfigFile, "config", "", "the sessions (YAML)")
	f.BoolVar(&o.Ordinary, "ordinary", false, "leave scheduling, memory and garbage collection as they are")
	_ = c.MarkFlagRequired("config")
	_ = c.MarkFlagFilename("config", "yaml", "yml")

	socket := defaultSpeaker
	for _, sub := range []*cobra.Command{
		bfdStatusCommand(&socket), bfdSessionCommand(&socket, "down", "Hold a session in AdminDown", func(ctx context.Context, c *control.Client, name string) error {
			return c.BFDAdminDown(ctx, name, true)
		}),
		bfdSessionCommand(&socket, "up", "Release a session from AdminDown", func(ctx context.Context, c *control.Client, name string) error {
			return c.BFDAdminDown(ctx, name, false)
		}),
		bfdSessionCommand(&socket, "reset", "Tell a session that the forwarding plane was reset", func(ctx context.Context, c *control.Client, name string) error {
			return c.BFDReset(ctx, name)
		}),
		bfdSessionCommand(&socket, "poll", "Verify in Demand mode that both directions work", func(ctx context.Context, c *control.Client, name string) error {
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

// completeSession completes the first argument to the sessions of the speaker, if
// one answers.
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
		Use: "demand SESSION on|off", Short: "Have a session's peer send nothing unless it is polled, or periodically again", Args: cobra.ExactArgs(2),
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
	c.Flags().BoolVar(&asJSON, "json", false, "print everything, as JSON")
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

// echoCell is a session's Echo function in short: which way echo packets go, how fast
// ours do, and how many went and came back.
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

// printDiscarded tells of packets that no session took, if there were any.
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
