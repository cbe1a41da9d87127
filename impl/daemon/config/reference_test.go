package config

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

// comments maps TYPE.FIELD to the comment of each field of this package's types.
func comments(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, file := range []string{"config.go", "health.go", "speaker.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if fields, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range fields.Fields.List {
					for _, name := range f.Names {
						text := strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
						all[spec.Name.Name+"."+name.Name] = text
					}
				}
			}
			return false
		})
	}
	return all
}

// sentence matches the beginning of a field's comment.
var sentence = regexp.MustCompile(`^[A-Z]\w+ (?:is|are) `)

// A row is one key of a configuration file.
type row struct{ key, initial, meaning string }

// rows lists the keys below a type, each by its path from the top of the file.
func rows(t *testing.T, about map[string]string, typ reflect.Type, path string, defaults map[string]any) (all []row) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		below, at := f.Type, path+name
		if below.Kind() == reflect.Slice && below.Elem().Kind() == reflect.Struct && below.Elem().PkgPath() == typ.PkgPath() && below.Elem() != reflect.TypeFor[AddrRange]() {
			below, at = below.Elem(), at+"[]"
		}
		initial, set := defaults[name]
		nested, _ := initial.(map[string]any)
		if below.Kind() == reflect.Struct && below.PkgPath() == typ.PkgPath() && below.NumField() > 1 && below != reflect.TypeFor[PortRange]() && below != reflect.TypeFor[Ports]() && below != reflect.TypeFor[Statuses]() {
			all = append(all, rows(t, about, below, at+".", nested)...)
			continue
		}
		var says []string
		need := f.Tag.Get("need")
		if text := cmp.Or(need, sentence.ReplaceAllString(about[typ.Name()+"."+f.Name], "")); text != "" {
			says = append(says, strings.TrimSuffix(text, "."))
		}
		if c, ok := reflect.Zero(f.Type).Interface().(choice); ok && !strings.Contains(strings.Join(says, ""), " or ") {
			says = append(says, "`"+strings.Join(c.offered(), "`, `")+"`")
		}
		if rule := f.Tag.Get("rule"); rule != "" {
			says = append(says, rule)
		}
		if len(says) == 0 {
			t.Errorf("%s.%s (%s) has neither a comment nor the tag need: the reference says nothing of it", typ.Name(), f.Name, at)
		}
		shown := ""
		switch {
		case need != "":
			shown = "required"
		case set && fmt.Sprint(initial) != "":
			shown = fmt.Sprintf("`%v`", initial)
		}
		all = append(all, row{at, shown, strings.Join(says, "; ")})
	}
	return all
}

func table(b *bytes.Buffer, title, intro string, all []row) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| key | default | meaning |\n|---|---|---|\n", title, intro)
	for _, r := range all {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", r.key, r.initial, r.meaning)
	}
}

// docs/configuration.md lists every key of a configuration file, with its default and its
// field's comment.
func TestReference(t *testing.T) {
	var defaults map[string]any
	standing := Default()
	text, err := standing.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Load(text, &defaults); err != nil {
		t.Fatal(err)
	}
	about := comments(t)
	node := rows(t, about, reflect.TypeFor[Config](), "", defaults)
	speaker := rows(t, about, reflect.TypeFor[Speaker](), "", nil)
	if len(node) < 30 || len(speaker) < 15 {
		t.Fatalf("%d and %d keys: the test has lost its subject", len(node), len(speaker))
	}
	var page bytes.Buffer
	fmt.Fprint(&page, "# Configuration keys\n\nGenerated from the fields of `impl/daemon/config`: `go test ./impl/daemon/config -run TestReference -update` writes this page\n"+
		"again. Durations are written as `50ms` or `1m30s`, paths of files count from the folder of the file. `[]` marks a list.\n")
	table(&page, "A node", "[node.md](node.md) shows a whole file and explains it.", node)
	table(&page, "A BFD speaker", "[bfd.md](bfd.md) explains them.", speaker)
	const file = "../../../docs/configuration.md"
	if *update {
		if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if stored, err := os.ReadFile(file); err != nil || !bytes.Equal(stored, page.Bytes()) {
		t.Errorf("docs/configuration.md is not what the fields say (%v): go test ./impl/daemon/config -run TestReference -update", err)
	}
}
