package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"github.com/spf13/cobra"

	"baton/bpf"
	"baton/impl/daemon/config"
	"baton/impl/daemon/preflight"
	"baton/impl/dataplane"
	"baton/netns"
)

type doctorOptions struct {
	node, peer string
	asJSON     bool
}

func doctorCommand() *cobra.Command {
	var o doctorOptions
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine can run and what is missing",
		Long: "Doctor tries everything that real runs need, and looks for the programs that tests and builds use. A missing requirement\n" +
			"makes it fail. A missing program is only listed, with the tests that are skipped without it.\n\n" +
			"With --node it checks this host against a node's configuration: kernel, capabilities, links, addresses, MTU and\n" +
			"ports. With --peer it also checks that the two configurations of the pair agree.",
		Example:           "  baton doctor\n  baton doctor --node /etc/baton/node.yaml --peer lb2.yaml",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	f := c.Flags()
	f.StringVar(&o.node, "node", "", "configuration of a node that will run on this host")
	f.StringVar(&o.peer, "peer", "", "configuration of the peer")
	f.BoolVar(&o.asJSON, "json", false, "print the findings as JSON: a list of check, ok and text")
	must(c.MarkFlagFilename("node", "yaml", "yml"))
	must(c.MarkFlagFilename("peer", "yaml", "yml"))
	return c
}

func (o *doctorOptions) run(ctx context.Context) error {
	if o.peer != "" && o.node == "" {
		return badInput("--peer is compared with --node: give both")
	}
	found, err := o.examine(ctx)
	if err != nil {
		return err
	}
	switch {
	case o.asJSON:
		err = printJSON(found)
	case o.node != "":
		printFindings(os.Stdout, found)
	default:
		printFindings(os.Stdout, found)
		printTools(os.Stdout, installed)
	}
	if err == nil && slices.ContainsFunc(found, func(f preflight.Finding) bool { return !f.OK }) {
		err = &exitError{code: exitFail}
	}
	return err
}

// examine runs the requested checks.
func (o *doctorOptions) examine(ctx context.Context) ([]preflight.Finding, error) {
	if o.node == "" {
		return []preflight.Finding{
			probed("network namespaces, veth, bridge", netns.Probe()),
			probed("eBPF: tcx, maps, ring buffer, redirect", bpf.Probe()),
		}, nil
	}
	cfg, err := config.Load(o.node, config.Options{AllowUnsafe: true})
	if err != nil {
		return nil, err
	}
	facts, err := preflight.Look(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if facts.LeftPins, err = bpf.LeftPins([]string{cfg.Links.Client, cfg.Links.Backend}, cfg.Pin); err != nil {
		return nil, err
	}
	if facts.Attachment, err = bpf.HookFor(dataplane.HookOf(string(cfg.Hook)), cfg.Links.Client, cfg.Links.Backend); err != nil {
		facts.Unattachable = err.Error()
	}
	found := append([]preflight.Finding{probed("eBPF: tcx, maps, ring buffer, redirect", bpf.Probe())}, preflight.Host(cfg, facts)...)
	if o.peer == "" {
		return found, nil
	}
	peer, err := config.Load(o.peer, config.Options{AllowUnsafe: true, Remote: true})
	if err != nil {
		return nil, err
	}
	return append(found, preflight.Pair(cfg, peer)...), nil
}

func probed(what string, err error) preflight.Finding {
	if err != nil {
		return preflight.Finding{Check: what, Text: err.Error()}
	}
	return preflight.Finding{Check: what, OK: true}
}

func printFindings(w io.Writer, found []preflight.Finding) {
	for _, f := range found {
		word, text := "ok     ", ""
		if !f.OK {
			word = "missing"
		}
		if f.Text != "" {
			text = ": " + f.Text
		}
		fmt.Fprintf(w, "%s  %s%s\n", word, f.Check, text)
	}
}

// tools are the optional programs, each with the targets that use it.
var tools = []struct{ name, program, pkg, without string }{
	{"FRR bfdd", "/usr/lib/frr/bfdd", "frr", "the tests of BFD against it are skipped"},
	{"BIRD", "/usr/sbin/bird", "bird2", "the tests of BFD against it are skipped"},
	{"keepalived", "/usr/sbin/keepalived", "keepalived", "it cannot be run as a subject (make setup-subjects)"},
	{"conntrackd", "/usr/sbin/conntrackd", "conntrackd", "keepalived cannot be run as a subject (make setup-subjects)"},
	{"Chromium", "chromium", "chromium", "the tests of the report in a browser are skipped"},
	{"promtool", "promtool", "prometheus", "the rules to alert by are not checked"},
	{"clang", "clang", "clang", "make generate cannot rebuild the eBPF objects; the committed ones are used"},
}

// printTools prints the path of each tool, or what is skipped without it.
func printTools(w io.Writer, find func(program string) (path string, ok bool)) {
	for _, tool := range tools {
		if path, ok := find(tool.program); ok {
			fmt.Fprintf(w, "ok       %s: %s\n", tool.name, path)
		} else {
			fmt.Fprintf(w, "absent   %s: %s (Debian: apt install %s)\n", tool.name, tool.without, tool.pkg)
		}
	}
}

func installed(program string) (string, bool) {
	path, err := exec.LookPath(program)
	return path, err == nil
}
