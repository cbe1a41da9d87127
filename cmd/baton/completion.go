package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// words completes a flag to a fixed list of values.
func words(c *cobra.Command, flag string, choices ...string) {
	must(c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)))
}

// folder completes a flag to folders.
func folder(c *cobra.Command, flag string) { must(c.MarkFlagDirname(flag)) }

// must panics on an error about a flag: this package defines the flag, so it exists.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func completeScenarios(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"scn"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeNames completes to the names of the scenarios in the files on the command line.
func completeNames(_ *cobra.Command, files []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	plans, err := parseAll(files)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	for _, p := range plans {
		names = append(names, p.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func completeFolders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeSocket completes the one argument of commands that talk to a node.
func completeSocket(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"sock"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeSetting completes KEY=VALUE: first the key, then a value that the key accepts.
func completeSetting(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	name, _, valued := strings.Cut(typed, "=")
	if !valued {
		var keys []string
		for _, k := range plan.Keys {
			keys = append(keys, k.Name+"=\t"+k.Doc)
		}
		return keys, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	var values []string
	if key, ok := plan.KeyOf(name); ok {
		for _, value := range slices.Concat(key.Values, key.Unsafe) {
			values = append(values, name+"="+value)
		}
	}
	return values, cobra.ShellCompDirectiveNoFileComp
}

// completeFault completes a step: the verbs with what they do, then hosts and links.
func completeFault(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var list []string
	if len(args) == 0 {
		for _, v := range fault.Verbs() {
			list = append(list, v.Word+"\t"+v.Doc)
		}
		return list, cobra.ShellCompDirectiveNoFileComp
	}
	list = slices.Concat(lab.Nodes(), lab.Links(), lab.KindNames(), []string{"via", "for"})
	return list, cobra.ShellCompDirectiveNoFileComp
}
