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
		Short:             "Write manual pages of all commands into a folder",
		Long:              "Man writes one page for each command, such as baton.1 and baton-run.1. Packages install them.",
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
