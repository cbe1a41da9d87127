package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"baton/bpf"
	"baton/netns"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can run, and what it lacks",
		Args:  cobra.NoArgs,
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
			if lacking {
				return &exitError{code: exitFail}
			}
			return nil
		},
	}
}
