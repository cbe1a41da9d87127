package main

import (
	"os"

	"github.com/spf13/cobra"

	"baton/reports"
)

func reportCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "report DIR",
		Short:             "Print a table of the runs stored in a folder",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFolders,
		RunE: func(_ *cobra.Command, args []string) error {
			if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
				return badInput("%s is not a folder", args[0])
			}
			return reports.Table(os.Stdout, args[0])
		},
	}
}
