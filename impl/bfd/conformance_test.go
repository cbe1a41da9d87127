package bfd

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/bfd-conformance.md and testdata/api.txt anew")

const (
	moduleRoot      = "../.."
	conformanceFile = moduleRoot + "/docs/bfd-conformance.md"
)

// requirement is a line of testdata/requirements.txt with the tests that cite it.
type requirement struct {
	rfc, id, level, text string
	note, elsewhere      string
	tests                []string
}

// TestConformanceTable writes the table of requirements from the tests that cite
// them in their comments ("Conformance: RFC 5880 6.8.6/3 6.8.6/4; RFC 5881 5/2").
// It fails if the committed table differs, if a citation names an unknown requirement,
// or if a requirement has neither a test nor a note on who else meets it.
func TestConformanceTable(t *testing.T) {
	reqs := readRequirements(t)
	citeTests(t, reqs)
	for _, r := range reqs {
		if len(r.tests) == 0 && r.elsewhere == "" {
			t.Errorf("RFC %s %s (%s) has no test: %s", r.rfc, r.id, r.level, r.text)
		}
	}
	want := renderConformance(reqs)
	if *update {
		if err := os.WriteFile(conformanceFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(conformanceFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/bfd-conformance.md is stale: go test ./impl/bfd -run ConformanceTable -update")
	}
}

var requirementLine = regexp.MustCompile(`^(\d+) (\d[\d.]*/\d+) ([A-Z ]+): (.+)$`)

func readRequirements(t *testing.T) []*requirement {
	t.Helper()
	text, err := os.ReadFile("testdata/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	var reqs []*requirement
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if note, ok := strings.CutPrefix(line, "note: "); ok && len(reqs) > 0 {
			reqs[len(reqs)-1].note = note
			continue
		}
		if elsewhere, ok := strings.CutPrefix(line, "elsewhere: "); ok && len(reqs) > 0 {
			reqs[len(reqs)-1].elsewhere = elsewhere
			continue
		}
		m := requirementLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("testdata/requirements.txt:%d: %q is no requirement", n+1, line)
		}
		reqs = append(reqs, &requirement{rfc: m[1], id: m[2], level: m[3], text: m[4]})
	}
	return reqs
}

var (
	citedRFC  = regexp.MustCompile(`RFC (\d+)((?: [\d.]+/\d+)+)`)
	testFiles = []string{"impl", "netns", "bpf"}
)

// citeTests finds the citations in the comments of all tests of the module, because
// some requirements, such as port numbers, concern a session's owner.
func citeTests(t *testing.T, reqs []*requirement) {
	t.Helper()
	byID := map[string]*requirement{}
	for _, r := range reqs {
		if byID[r.rfc+" "+r.id] != nil {
			t.Errorf("RFC %s %s stands twice in testdata/requirements.txt", r.rfc, r.id)
		}
		byID[r.rfc+" "+r.id] = r
	}
	for _, file := range findTestFiles(t) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			test, ok := decl.(*ast.FuncDecl)
			if !ok || test.Doc == nil {
				continue
			}
			doc := strings.Join(strings.Fields(test.Doc.Text()), " ")
			_, list, _ := strings.Cut(doc, "Conformance: ")
			for _, cited := range citedRFC.FindAllStringSubmatch(list, -1) {
				for _, id := range strings.Fields(cited[2]) {
					r := byID[cited[1]+" "+id]
					if r == nil {
						t.Errorf("%s cites RFC %s %s, which is no known requirement", test.Name.Name, cited[1], id)
						continue
					}
					r.tests = append(r.tests, testName(file, test.Name.Name))
				}
			}
		}
	}
	for _, r := range reqs {
		slices.Sort(r.tests)
		r.tests = slices.Compact(r.tests)
	}
}

func findTestFiles(t *testing.T) (files []string) {
	t.Helper()
	for _, dir := range testFiles {
		root := filepath.Join(moduleRoot, dir)
		if _, err := os.Stat(root); err != nil {
			continue
		}
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil && bytes.Contains(text, []byte("// Conformance: RFC")) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// testName returns a test's name, with its directory if it is of another package.
func testName(file, test string) string {
	dir, err := filepath.Rel(moduleRoot, filepath.Dir(file))
	if err != nil || dir == "impl/bfd" || dir == "." {
		return test
	}
	return dir + "." + test
}

func renderConformance(reqs []*requirement) []byte {
	var b bytes.Buffer
	b.WriteString(`# Conformance of impl/bfd

Every MUST and SHOULD of RFC 5880, 5881, 5883 and 9747, with the tests that pin it. The
sentences are the RFCs' own, shortened where they are long. The table is generated from
the tests' comments and ` + "`impl/bfd/testdata/requirements.txt`" + `:

    go test ./impl/bfd -run ConformanceTable -update

*Met* means that a test fails where the sentence does not hold. *Owner* means that no code
of a session could meet it or break it: it is about sockets, addresses or configuration,
and the last column says whose it is, or names the owner's test. There is no third kind:
the test that checks this table fails for a requirement that nobody meets.

`)
	summarise(&b, reqs)
	rfc := ""
	for _, r := range reqs {
		if r.rfc != rfc {
			rfc = r.rfc
			fmt.Fprintf(&b, "\n## RFC %s\n\n| § | level | requirement | status | tests and remarks |\n|---|---|---|---|---|\n", rfc)
		}
		status, why := "met", "`"+strings.Join(r.tests, "` `")+"`"
		if len(r.tests) == 0 {
			status, why = "owner", r.elsewhere
		}
		if r.note != "" {
			why += ". " + r.note
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.id, r.level, strings.ReplaceAll(r.text, "|", "\\|"), status, why)
	}
	return b.Bytes()
}

func summarise(b *bytes.Buffer, reqs []*requirement) {
	type count struct{ met, owner int }
	counts := map[string]*count{}
	var order []string
	for _, r := range reqs {
		level := "SHOULD"
		if strings.HasPrefix(r.level, "MUST") || r.level == "REQUIRED" {
			level = "MUST"
		}
		key := "RFC " + r.rfc + " | " + level
		if counts[key] == nil {
			counts[key] = &count{}
			order = append(order, key)
		}
		if len(r.tests) > 0 {
			counts[key].met++
		} else {
			counts[key].owner++
		}
	}
	b.WriteString("| | level | met | owner |\n|---|---|---|---|\n")
	slices.Sort(order)
	for _, key := range order {
		fmt.Fprintf(b, "| %s | %d | %d |\n", key, counts[key].met, counts[key].owner)
	}
}
