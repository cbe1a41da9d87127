package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/docs/doctest"
)

var (
	docs       = flag.String("docs", "quick", "which blocks of the documentation to execute: quick, or all (as root)")
	updateDocs = flag.Bool("update-docs", false, "write what the blocks print into the pages that show something else")
)

// blockLimits bound a block of commands. A campaign takes minutes on a machine that has
// other work.
var blockLimits = map[doctest.When]time.Duration{doctest.Quick: 2 * time.Minute, doctest.Nightly: 10 * time.Minute}

// pages are all files of the documentation.
func pages(t *testing.T) []*doctest.Page {
	t.Helper()
	var all []*doctest.Page
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/*/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			page, err := doctest.Read(file)
			if err != nil {
				t.Error(err)
				continue
			}
			all = append(all, page)
		}
	}
	if len(all) < 20 {
		t.Fatalf("%d pages: the test has lost its subject", len(all))
	}
	return all
}

// Each link of a page leads to an existing file and heading.
func TestDocsLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, err := range page.Links() {
			t.Error(err)
		}
	}
}

// The commands of a page are executed in order, in a folder for that page, and must print
// the output that the page shows. Nightly pages run one at a time: their
// commands measure.
func TestDocsCommands(t *testing.T) {
	for _, page := range pages(t) {
		t.Run(filepath.Base(page.File), func(t *testing.T) {
			if *docs != "all" {
				t.Parallel()
			}
			tryPage(t, page)
		})
	}
}

func tryPage(t *testing.T, page *doctest.Page) {
	shell := &doctest.Shell{Dir: checkout(t)}
	shell.Env = append(os.Environ(), asBaton+"=1", "PATH="+filepath.Join(shell.Dir, "bin")+":"+os.Getenv("PATH"))
	defer shell.Close()
	printed := map[int]string{}
	for i, block := range page.Blocks {
		if block.Name != "" {
			if err := os.WriteFile(filepath.Join(shell.Dir, block.Name), []byte(block.Text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if block.Same != "" {
			if err := doctest.Same("../..", block); err != nil {
				t.Errorf("%s:%d: %v", page.File, block.Line, err)
			}
		}
		if block.When == doctest.Never && block.Skip == "" {
			continue
		}
		t.Run(fmt.Sprintf("line %d", block.Line), func(t *testing.T) {
			if why := notTried(block); why != "" {
				t.Skip(why)
			}
			ctx, cancel := context.WithTimeout(t.Context(), blockLimits[block.When])
			defer cancel()
			text, err := shell.Execute(ctx, block)
			if err != nil && text != "" && *updateDocs {
				printed[i] = text
			} else if err != nil {
				t.Errorf("%s:%d: %v", page.File, block.Line, err)
			}
		})
	}
	if len(printed) > 0 {
		if err := page.Rewrite(printed); err != nil {
			t.Error(err)
		}
	}
}

// notTried returns why a block is not executed now, or "".
func notTried(b doctest.Block) string {
	switch {
	case b.Skip != "":
		return b.Skip
	case b.When == doctest.Nightly && *docs != "all":
		return "nightly: make test-docs"
	case b.When == doctest.Nightly && os.Getuid() != 0:
		return "needs root"
	}
	if program := doctest.Lacks(b); program != "" {
		return program + " is not installed"
	}
	return ""
}

// checkout creates a folder with the contents of the repository's top level, with this test binary
// as bin/baton, and with a sudo that just runs its arguments.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if slices.Contains([]string{"bin", "out", ".git"}, e.Name()) {
			continue
		}
		if err := os.Symlink(filepath.Join(root, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "baton")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "sudo"), []byte("#!/bin/sh\nexec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The index leads to every page.
func TestDocsIndex(t *testing.T) {
	index, err := os.ReadFile("../../docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := filepath.Base(file); name != "README.md" && !strings.Contains(string(index), "]("+name+")") {
			t.Errorf("docs/README.md does not lead to %s", name)
		}
	}
}
