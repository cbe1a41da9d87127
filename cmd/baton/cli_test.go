package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// cliPage is the reference of the command line, generated from the commands.
func cliPage() []byte {
	var b bytes.Buffer
	fmt.Fprint(&b, "# The command line\n\nGenerated from the commands: `go test ./cmd/baton -run TestCLIReference -update-docs` rewrites this page.\n"+
		"`baton help COMMAND` shows the same text, `baton man DIR` writes manual pages, and `baton completion SHELL` prints a completion script.\n\n"+
		"## Exit codes\n\nThe same for every command.\n\n| code | name | when |\n|---|---|---|\n")
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", e.code, e.name, e.meaning)
	}
	everyCommand(rootCommand(), func(c *cobra.Command) {
		// What cobra adds itself is described above.
		if c.Hidden || !c.HasParent() || strings.HasPrefix(c.CommandPath(), "baton completion") || c.Name() == "help" {
			return
		}
		writeCommand(&b, c)
	})
	return b.Bytes()
}

func writeCommand(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n```text\n%s\n```\n", c.CommandPath(), c.Short, c.UseLine())
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", escape(c.Long))
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\n```text\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	var rows []string
	c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "`" + strings.TrimSpace("--"+f.Name+" "+kind) + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		initial := ""
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
			initial = "`" + f.DefValue + "`"
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |", name, initial, escape(usage)))
	})
	if len(rows) > 0 {
		fmt.Fprintf(b, "\n| flag | default | meaning |\n|---|---|---|\n%s\n", strings.Join(rows, "\n"))
	}
}

// escape keeps Markdown from reading marks into plain text.
func escape(text string) string {
	return strings.NewReplacer("<", "&lt;", "|", "\\|", "*", "\\*", "_", "\\_").Replace(text)
}

func TestCLIReference(t *testing.T) {
	const file = "../../docs/cli.md"
	t.Setenv("TMPDIR", "") // defaults under os.TempDir
	page := cliPage()
	if *updateDocs {
		if err := os.WriteFile(file, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if stored, err := os.ReadFile(file); err != nil || !bytes.Equal(stored, page) {
		t.Errorf("docs/cli.md is not what the commands say (%v): go test ./cmd/baton -run TestCLIReference -update-docs", err)
	}
}

// Every command has a manual page, the same for the same build.
func TestManualPages(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		if r := baton(t, "man", dir); r.code != exitPass {
			t.Fatalf("exit code %d: %s", r.code, r.errout)
		}
	}
	everyCommand(rootCommand(), func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" {
			return
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		page, err := os.ReadFile(filepath.Join(dirs[0], name))
		if err != nil || !bytes.Contains(page, []byte(".SH SYNOPSIS")) {
			t.Errorf("%s: %v", name, err)
		}
		if again, err := os.ReadFile(filepath.Join(dirs[1], name)); err != nil || !bytes.Equal(page, again) {
			t.Errorf("%s differs when it is written again: %v", name, err)
		}
	})
}

// Every command exits with the codes of the table, for every kind of outcome.
func TestExitCodesAreTheSameEverywhere(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	file := func(name, text string) string {
		f := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return f
	}
	broken := file("x.yaml", "node: [\n")
	for _, tt := range []struct {
		code int
		args []string
	}{
		{exitPass, []string{"lint", "../../scenarios/crash-master.scn"}},
		{exitPass, []string{"subject", "list"}},
		{exitFail, []string{"status", none}},
		{exitFail, []string{"handover", none}},
		{exitFail, []string{"reload", none}},
		{exitFail, []string{"bfd", "status", "--socket", none}},
		{exitFail, []string{"lab", "--dir", none, "down"}},
		{exitFail, []string{"lab", "--dir", none, "status"}},
		{exitFail, []string{"lab", "--dir", none, "fault", "heal"}},
		{exitBadInput, []string{"node", "--config", broken}},
		{exitBadInput, []string{"node", "--config", none}},
		{exitBadInput, []string{"node", "--config", broken, "--log", "xml"}},
		{exitBadInput, []string{"bfd", "--config", broken}},
		{exitBadInput, []string{"run", none}},
		{exitBadInput, []string{"run", "--sut", broken, "../../scenarios/crash-master.scn"}},
		{exitBadInput, []string{"run", "--world", "moon", "../../scenarios/crash-master.scn"}},
		{exitBadInput, []string{"lint", none}},
		{exitBadInput, []string{"explain", none}},
		{exitBadInput, []string{"sim", "--seeds", "many"}},
		{exitBadInput, []string{"explore", "--depth", "-1"}},
		{exitBadInput, []string{"shrink", "--seed", "1", none}},
		{exitBadInput, []string{"report", none}},
		{exitBadInput, []string{"compare", none, none}},
		{exitBadInput, []string{"parity", none, none}},
		{exitBadInput, []string{"subject", "show", "nothing"}},
		{exitBadInput, []string{"subject", "check", none}},
		{exitBadInput, []string{"pki", "init", t.TempDir(), "lb1", "lb1"}},
		{exitBadInput, []string{"man", filepath.Join(broken, "below-a-file")}},
		{exitBadInput, []string{"completion", "cmd.exe"}},
		{exitBadInput, []string{"nothing"}},
	} {
		if r := baton(t, tt.args...); r.code != tt.code {
			t.Errorf("baton %s: exit code %d, not %d: %s", strings.Join(tt.args, " "), r.code, tt.code, r.errout)
		}
	}
}
