package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"baton/bpf"
	"baton/netns"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can run, and what it lacks",
		Long: "Doctor tries what real runs need, and looks for the programs that tests and builds talk to. What is missing\n" +
			"of the former makes it fail; what is absent of the latter is only said, with what is skipped for it.",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			lacking := false
			for _, probe := range []struct {
				what  string
				check func() error
			}{
				{"network namespaces, veth, bridge", netns.Probe},
				{"eBPF: tcx, maps, ring buffer, redirect", bpf.Probe},
			} {
				if err := probe.check(); err != nil {
					lacking = true
					fmt.Printf("missing  %s: %v\n", probe.what, err)
					continue
				}
				fmt.Printf("ok       %s\n", probe.what)
			}
			printTools(os.Stdout, installed)
			if lacking {
				return &exitError{code: exitFail}
			}
			return nil
		},
	}
}

// tools are the programs that nothing but the named things needs.
var tools = []struct{ name, program, pkg, without string }{
	{"FRR bfdd", "/usr/lib/frr/bfdd", "frr", "the tests of BFD against it are skipped"},
	{"BIRD", "/usr/sbin/bird", "bird2", "the tests of BFD against it are skipped"},
	{"keepalived", "/usr/sbin/keepalived", "keepalived", "it cannot be run as a subject (make setup-subjects)"},
	{"conntrackd", "/usr/sbin/conntrackd", "conntrackd", "keepalived cannot be run as a subject (make setup-subjects)"},
	{"Chromium", "chromium", "chromium", "the tests of the report in a browser are skipped"},
	{"clang", "clang", "clang", "make generate cannot rebuild the eBPF objects; the committed ones are used"},
}

// printTools says of each tool where it is, or what is skipped without it.
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
