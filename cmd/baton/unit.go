package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"baton/docs/operations"
)

func unitCommand() *cobra.Command {
	config := "/etc/baton/node.yaml"
	c := &cobra.Command{
		Use:               "unit",
		Short:             "Print a systemd unit that runs a node with this program",
		Example:           "  baton node unit > /etc/systemd/system/baton.service",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			if !filepath.IsAbs(config) {
				return badInput("node unit: --config %s: systemd needs an absolute path", config)
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			_, err = fmt.Print(operations.Unit(self, config))
			return err
		},
	}
	c.Flags().StringVar(&config, "config", config, "absolute path of the node's configuration")
	must(c.MarkFlagFilename("config", "yaml", "yml"))
	return c
}
