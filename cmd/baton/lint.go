package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"baton/scenarios/plan"
)

func lintCommand() *cobra.Command {
	var show bool
	c := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check scenario files without running them",
		Long: "Lint reports every mistake as file:line:column with what would be right, and exits 2 if there is one.\n" +
			"A scenario with unsafe settings needs a control line, as it does to be run.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			plans, err := parseAll(files)
			if err != nil {
				return err
			}
			for _, p := range plans {
				if show {
					fmt.Print(plan.Print(p))
				} else {
					fmt.Printf("%s: ok\n", p.File)
				}
			}
			return nil
		},
		ValidArgsFunction: completeScenarios,
	}
	c.Flags().BoolVar(&show, "print", false, "print each scenario in canonical form")
	return c
}
