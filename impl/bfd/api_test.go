package bfd

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAPI: others import this package, so a change of its exported identifiers must be
// deliberate: the commit also changes testdata/api.txt.
func TestAPI(t *testing.T) {
	const golden = "testdata/api.txt"
	api := exported(t)
	if *update {
		if err := os.WriteFile(golden, api, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	was, is := declarations(want), declarations(api)
	for d := range was {
		if !is[d] {
			t.Errorf("no longer exported as it was: %s", d)
		}
	}
	for d := range is {
		if !was[d] {
			t.Errorf("exported now: %s", d)
		}
	}
	if t.Failed() {
		t.Error("if that is meant: go test ./impl/bfd -run API -update, and make apidiff says whether it breaks users")
	}
	if len(is) < 50 {
		t.Errorf("%d declarations found; the test has lost its subject", len(is))
	}
}

// exported prints the exported declarations of the package, without bodies and comments.
func exported(t *testing.T) []byte {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.FileExports(file)
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				d.Body = nil
			case *ast.GenDecl:
				if d.Tok == token.IMPORT {
					continue
				}
			}
			var one bytes.Buffer
			if err := printer.Fprint(&one, set, d); err != nil {
				t.Fatal(err)
			}
			out.Write(bytes.ReplaceAll(one.Bytes(), []byte("\n\n"), []byte("\n")))
			out.WriteString("\n\n") // between declarations, and nowhere else
		}
	}
	return out.Bytes()
}

// declarations returns the declarations of a printed API, regardless of their files.
func declarations(api []byte) map[string]bool {
	set := map[string]bool{}
	for d := range strings.SplitSeq(string(api), "\n\n") {
		if d = strings.TrimSpace(d); d != "" {
			set[d] = true
		}
	}
	return set
}
