package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// freeText are flags that accept any value.
var freeText = []string{"shard", "evidence-limit", "listen"}

// everyCommand calls f with the command and all its subcommands.
func everyCommand(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		everyCommand(sub, f)
	}
}

// Every flag and argument that takes a word, a file or a folder is completed. Numbers, durations
// and switches are not.
func TestEveryFlagAndArgumentCompletes(t *testing.T) {
	seen := 0
	everyCommand(rootCommand(), func(c *cobra.Command) {
		if c.HasSubCommands() {
			return
		}
		seen++
		if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
			t.Errorf("%s: its arguments complete to any file; set ValidArgsFunction", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !slices.Contains([]string{"string", "stringArray", "stringSlice"}, f.Value.Type()) || slices.Contains(freeText, f.Name) {
				return
			}
			_, files := f.Annotations[cobra.BashCompFilenameExt]
			_, folders := f.Annotations[cobra.BashCompSubdirsInDir]
			if _, completes := c.GetFlagCompletionFunc(f.Name); !completes && !files && !folders {
				t.Errorf("%s --%s completes to any file; see completion.go, or list it as free text", c.CommandPath(), f.Name)
			}
		})
	})
	if seen < 8 {
		t.Fatalf("%d commands seen; the test has lost its subject", seen)
	}
}

// Completion answers in the format that shells expect.
func TestCompletions(t *testing.T) {
	for _, tt := range []struct {
		args      []string
		want      []string
		directive string
	}{
		{[]string{"run", "--world", ""}, []string{"netns", "sim", "both"}, ":4"},
		{[]string{"run", "--keep", ""}, []string{"failed", "all", "none"}, ":4"},
		{[]string{"run", "--out", ""}, nil, ":16"},
		{[]string{"run", ""}, []string{"scn"}, ":8"},
		{[]string{"lint", ""}, []string{"scn"}, ":8"},
		{[]string{"explain", ""}, []string{"scn"}, ":8"},
		{[]string{"run", "--set", "ha.gates="}, []string{"ha.gates=on", "ha.gates=off"}, ":4"},
		{[]string{"node", "--log", ""}, []string{"text", "json"}, ":4"},
		{[]string{"node", "--config", ""}, []string{"yaml", "yml"}, ":8"},
		{[]string{"run", "../../scenarios/crash-master.scn", "--only", ""}, []string{"crash-master"}, ":4"},
		{[]string{"status", ""}, []string{"sock"}, ":8"},
		{[]string{"report", ""}, nil, ":16"},
		{[]string{"serve", ""}, nil, ":16"},
	} {
		r := baton(t, append([]string{"__complete"}, tt.args...)...)
		lines := strings.Split(strings.TrimSpace(r.out), "\n")
		if got := lines[:len(lines)-1]; !slices.Equal(got, tt.want) && len(got)+len(tt.want) > 0 || lines[len(lines)-1] != tt.directive {
			t.Errorf("%v completes to %q, want %q and %s", tt.args, lines, tt.want, tt.directive)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := baton(t, "completion", shell); r.code != exitPass || !strings.Contains(r.out, "baton") {
			t.Errorf("completion %s: exit code %d\n%s", shell, r.code, r.errout)
		}
	}
}

// A fault of a lab is completed from the tables of verbs, hosts and links.
func TestAFaultCompletesFromTheTables(t *testing.T) {
	words := func(args ...string) (got []string) {
		for _, line := range strings.Split(baton(t, append([]string{"__complete", "lab", "fault"}, args...)...).out, "\n") {
			word, _, _ := strings.Cut(line, "\t")
			got = append(got, word)
		}
		return got
	}
	for _, verb := range fault.Words() {
		if !slices.Contains(words(""), verb) {
			t.Errorf("no %s", verb)
		}
	}
	for _, word := range slices.Concat(lab.Nodes(), lab.Links(), lab.KindNames(), []string{"via", "for"}) {
		if !slices.Contains(words("cut", ""), word) {
			t.Errorf("no %s", word)
		}
	}
}
