package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"baton/netns/subject"
	"baton/netns/subject/tree"
)

func subjectCommand() *cobra.Command {
	c := &cobra.Command{Use: "subject", Short: "List, show and check subjects: the reference node, other programs, your own pair"}
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List the built-in subjects", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error { return listSubjects(asJSON) },
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON: name, doc, missing")
	show := &cobra.Command{
		Use: "show NAME", Short: "Print the adapter file of a subject, as a start for your own", Args: cobra.ExactArgs(1), ValidArgs: subject.Names()[1:],
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := subject.Source(args[0])
			if err != nil {
				return badInput("subject: %w", err)
			}
			_, err = os.Stdout.Write(text)
			return err
		},
	}
	node := &cobra.Command{
		Use: "node LAUNCH", Short: "Be the first process of a node (started by a scenario)", Hidden: true, Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error { return tree.Run(args[0]) },
	}
	reset := &cobra.Command{
		Use: "reset LAUNCH", Short: "Remove what a node has left (started by a scenario)", Hidden: true, Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error { return tree.Reset(args[0]) },
	}
	c.AddCommand(list, show, subjectCheckCommand(), node, reset)
	return c
}

// A listed subject is an entry of baton subject list.
type listedSubject struct {
	Name    string   `json:"name"`
	Doc     string   `json:"doc"`
	Missing []string `json:"missing"` // programs that are not installed
}

func listSubjects(asJSON bool) error {
	var all []listedSubject
	for _, name := range subject.Names() {
		s, err := subject.Named(name)
		if err != nil {
			return err
		}
		listed := listedSubject{Name: name, Doc: "baton's own node", Missing: []string{}}
		if a, ok := s.(*subject.Adapter); ok {
			listed.Doc = a.Doc
			listed.Missing = append(listed.Missing, a.Missing()...)
		}
		all = append(all, listed)
	}
	if asJSON {
		return printJSON(all)
	}
	for _, s := range all {
		state := "ready"
		if len(s.Missing) > 0 {
			state = "not installed: " + strings.Join(s.Missing, ", ")
		}
		fmt.Printf("%-12s %-6s %s\n", s.Name, state, s.Doc)
	}
	return nil
}
