package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"baton/netns/subject"
	"baton/scenarios/plan"
)

// lintOptions are the flags of lint.
type lintOptions struct {
	show, asJSON bool
}

func lintCommand() *cobra.Command {
	var o lintOptions
	c := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check scenario files without running them",
		Long: "Lint reports every mistake as file:line:column with a correction, and exits with 2 if there is one.\n" +
			"A scenario with unsafe settings needs a control line, as for baton run.",
		Example:           "  baton lint scenarios/*.scn\n  baton lint --json mine.scn",
		Args:              cobra.MinimumNArgs(1),
		RunE:              func(_ *cobra.Command, files []string) error { return o.lint(files) },
		ValidArgsFunction: completeScenarios,
	}
	c.Flags().BoolVar(&o.show, "print", false, "print each scenario in canonical form")
	c.Flags().BoolVar(&o.asJSON, "json", false, "print the findings as JSON, for editors: a list of file, line, column, severity, message, suggestion")
	c.MarkFlagsMutuallyExclusive("print", "json")
	return c
}

// lint reports every mistake in each file, and mistakes across files.
func (o lintOptions) lint(files []string) error {
	var plans []*plan.Plan
	var found plan.Diagnostics
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return badInput("%w", err)
		}
		expanded, said := expand(file, source)
		plans, found = append(plans, expanded...), append(found, said...)
		if !o.asJSON {
			o.tell(expanded, said)
		}
	}
	same := plan.SameNames(plans)
	found = append(found, same...)
	if o.asJSON {
		if err := printJSON(found.Records()); err != nil {
			return err
		}
	} else {
		for _, d := range same {
			fmt.Fprintln(os.Stderr, d)
		}
	}
	if len(found.Errors(false)) > 0 {
		return &exitError{code: exitBadInput}
	}
	return nil
}

// expand parses a file and checks also what only the reference node's configuration forbids.
func expand(file string, source []byte) ([]*plan.Plan, plan.Diagnostics) {
	plans, found := plan.Expand(file, source, os.ReadFile)
	if len(found.Errors(true)) > 0 {
		return plans, found
	}
	var refused plan.Diagnostics
	for _, p := range plans {
		for _, d := range subject.Refused(p) {
			if !slices.Contains(refused, d) {
				refused = append(refused, d)
			}
		}
	}
	return plans, append(found, refused...)
}

// tell prints the findings of one file.
func (o lintOptions) tell(plans []*plan.Plan, found plan.Diagnostics) {
	for _, d := range found {
		fmt.Fprintln(os.Stderr, d)
	}
	switch {
	case len(found.Errors(false)) > 0:
	case o.show:
		for _, p := range plans {
			fmt.Print(plan.Print(p))
		}
	case len(plans) > 1:
		fmt.Printf("%s: ok, %d scenarios\n", plans[0].File, len(plans))
	default:
		fmt.Printf("%s: ok\n", plans[0].File)
	}
}
