package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNodeCheckStartsNothing: a mistake is one line with file and line, and exit 2.
func TestNodeCheckStartsNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lb1.yaml")
	if err := os.WriteFile(file, []byte("node: lb1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := nodeCommand()
	c.SetArgs([]string{"--check", "--config", file})
	c.SilenceErrors, c.SilenceUsage = true, true
	err := c.Execute()
	if err == nil || !strings.HasPrefix(err.Error(), "lb1.yaml:1: peer is missing") || exitCode(err) != exitBadInput {
		t.Errorf("%v", err)
	}
}
