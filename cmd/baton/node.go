package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"baton/bpf"
	"baton/impl/daemon"
	"baton/impl/daemon/config"
	"baton/impl/dataplane"
)

// logFormats are the formats of a node's log.
var logFormats = []string{"text", "json"}

func nodeCommand() *cobra.Command {
	var o daemon.Options
	var check bool
	c := &cobra.Command{
		Use:   "node --config FILE",
		Short: "Run a load balancer node",
		Long: "Node runs one node of a pair until SIGTERM. A MASTER then hands its role over before it ends;\n" +
			"a second SIGTERM ends it at once. A mistake in the configuration is reported with file and line; exit code 2.",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains(logFormats, o.LogFormat) {
				return badInput("--log %q: use text or json", o.LogFormat)
			}
			if check {
				cfg, err := config.Load(o.ConfigFile, config.Options{AllowUnsafe: o.AllowUnsafe})
				if err == nil {
					warnOfPins(os.Stderr, cfg)
				}
				return err
			}
			o.Version = version
			o.Dataplane = func(cfg dataplane.Config) (dataplane.Dataplane, error) { return bpf.Open(cfg) }
			o.LeftPins = bpf.LeftPins
			// The daemon handles signals itself. If the first also ended its context, it
			// could count as the second, which ends the node without a handover.
			return daemon.Run(context.WithoutCancel(c.Context()), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.ConfigFile, "config", "", "the node's configuration (YAML)")
	f.BoolVar(&check, "check", false, "only check the configuration and report mistakes")
	f.BoolVar(&o.AllowUnsafe, "allow-unsafe", false, "accept settings that re-create historical bugs (gates: off, preempt: immediate, announce: before-install)")
	f.BoolVar(&o.Breakable, "breakable", false, "for tests: accept requests on the control socket that make dataplane calls fail")
	f.IntVar(&o.TraceFD, "trace-fd", 0, "file descriptor for trace events as JSON lines; 0: none")
	f.StringVar(&o.LogFormat, "log", "text", "format of the log: text or json")
	must(c.MarkFlagRequired("config"))
	must(c.MarkFlagFilename("config", "yaml", "yml"))
	words(c, "log", logFormats...)
	c.AddCommand(unitCommand())
	return c
}

// warnOfPins says which pin folders were left behind. Without a node's privileges, which a check of
// its configuration does not need, they cannot be found.
func warnOfPins(w io.Writer, cfg *config.Config) {
	left, err := bpf.LeftPins([]string{cfg.Links.Client, cfg.Links.Backend}, cfg.Pin)
	if err != nil {
		fmt.Fprintf(w, "baton: search for left pins failed: %v\n", err)
	}
	for _, l := range left {
		fmt.Fprintf(w, "baton: warning: %v\n", l)
	}
}
