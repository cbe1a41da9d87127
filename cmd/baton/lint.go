package main

import (
	"fmt"
	"os"

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
		Args:              cobra.MinimumNArgs(1),
		RunE:              func(_ *cobra.Command, files []string) error { return lint(files, show) },
		ValidArgsFunction: completeScenarios,
	}
	c.Flags().BoolVar(&show, "print", false, "print each scenario in canonical form")
	return c
}

// lint says all that there is to say about each file.
func lint(files []string, show bool) error {
	mistakes := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return badInput("%w", err)
		}
		p, found := plan.Check(file, source)
		for _, d := range found {
			fmt.Fprintln(os.Stderr, d)
		}
		switch wrong := len(found.Errors(false)); {
		case wrong > 0:
			mistakes += wrong
		case show:
			fmt.Print(plan.Print(p))
		default:
			fmt.Printf("%s: ok\n", file)
		}
	}
	if mistakes > 0 {
		return &exitError{code: exitBadInput}
	}
	return nil
}
