package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "man DIR",
		Short:             "Write the manual pages of every command into a folder",
		Long:              "Man writes one page a command, baton.1 and such as baton-run.1, for a package or an installation to take.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFolders,
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return badInput("man: %w", err)
			}
			// No date: the same build writes the same pages.
			root := c.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "baton " + version, Manual: "baton", Date: &time.Time{}}, args[0])
		},
	}
}
