package mutants

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// joined is source text that holds several mutants at once. Each function that one of them
// changes is there in its original form and in each mutant's, and a function of its name
// calls the one that the process is to play. What a test sees of the call is its cost.
type joined struct {
	files   map[string]string // by path from the module's root
	numbers map[string]int    // of the mutants that are in it, by name
}

// of returns the number of a mutant, 0 if it is not in the text.
func (j *joined) of(name string) int {
	if j == nil {
		return 0
	}
	return j.numbers[name]
}

const (
	// playing is the environment variable with the number of the mutant to play.
	playing = "BATON_MUTANT"
	// chooser is the file of each changed package that reads it.
	chooser = "zz_mutant.go"
)

// chooserText is the text of a chooser, but for the package's name.
const chooserText = `package %s

import "os"

var mutant__ = os.Getenv(%q)
`

// bodies are functions as mutants have them, by file, index of the declaration and number
// of the mutant.
type bodies map[string]map[int]map[int]string

// join puts the mutants that change nothing but bodies of functions into one text. The
// others are left out: they are built alone.
func join(root string, list []Mutant) (*joined, error) {
	j := &joined{files: map[string]string{}, numbers: map[string]int{}}
	all, originals := bodies{}, map[string]string{}
	for _, m := range list {
		changed, err := m.Apply(root)
		if err != nil {
			continue // its own run tells of it
		}
		own := map[string]map[int]string{}
		for file, after := range changed {
			before, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				return nil, err
			}
			originals[file] = string(before)
			if own[file] = changedBodies(string(before), after); own[file] == nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				own = nil
				break
			}
		}
		if own != nil {
			j.numbers[m.Name] = len(j.numbers) + 1
			all.add(j.numbers[m.Name], own)
		}
	}
	for file, functions := range all {
		text, name := withBodies(originals[file], functions)
		j.files[file] = text
		j.files[filepath.Join(filepath.Dir(file), chooser)] = fmt.Sprintf(chooserText, name, playing)
	}
	return j, nil
}

func (b bodies) add(number int, own map[string]map[int]string) {
	for file, functions := range own {
		for i, text := range functions {
			if b[file] == nil {
				b[file] = map[int]map[int]string{}
			}
			if b[file][i] == nil {
				b[file][i] = map[int]string{}
			}
			b[file][i][number] = text
		}
	}
}

// source is a parsed file and its text.
type source struct {
	*ast.File
	set  *token.FileSet
	text string
}

func parse(text string) (source, error) {
	s := source{set: token.NewFileSet(), text: text}
	var err error
	s.File, err = parser.ParseFile(s.set, "", text, parser.SkipObjectResolution)
	return s, err
}

// span is the text from one place to another.
func (s source) span(from, to token.Pos) string {
	return s.text[s.set.Position(from).Offset:s.set.Position(to).Offset]
}

func (s source) of(n ast.Node) string { return s.span(n.Pos(), n.End()) }

// changedBodies returns the functions that differ in their bodies, by the index of their
// declarations; nil if anything else differs too.
func changedBodies(before, after string) map[int]string {
	a, errA := parse(before)
	b, errB := parse(after)
	if errA != nil || errB != nil || len(a.Decls) != len(b.Decls) {
		return nil
	}
	changed := map[int]string{}
	for i := range a.Decls {
		if a.of(a.Decls[i]) == b.of(b.Decls[i]) {
			continue
		}
		f, ok := a.Decls[i].(*ast.FuncDecl)
		g, too := b.Decls[i].(*ast.FuncDecl)
		if !ok || !too || f.Name.Name == "init" || f.Name.Name == "main" ||
			a.span(f.Pos(), f.Body.Pos()) != b.span(g.Pos(), g.Body.Pos()) {
			return nil
		}
		changed[i] = b.of(g)
	}
	return changed
}

// withBodies returns a file in which functions have further bodies, and the name of its
// package.
func withBodies(text string, functions map[int]map[int]string) (joined, name string) {
	s, err := parse(text)
	if err != nil {
		panic(err) // changedBodies has parsed it
	}
	var out strings.Builder
	at := s.FileStart
	for i, decl := range s.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || functions[i] == nil {
			continue
		}
		out.WriteString(s.span(at, f.Pos()))
		numbers := slices.Sorted(maps.Keys(functions[i]))
		out.WriteString(s.dispatcher(f, numbers))
		name := int(f.Name.End() - f.Pos())
		rename := func(text string, number int) string {
			return fmt.Sprintf("\n\n%s__%d%s", text[:name], number, text[name:])
		}
		out.WriteString(rename(s.of(f), 0))
		for _, n := range numbers {
			out.WriteString(rename(functions[i][n], n))
		}
		at = f.End()
	}
	out.WriteString(s.text[s.set.Position(at).Offset:])
	return out.String(), s.Name.Name
}

// dispatcher is the function that calls the one of the mutant that is played, or number 0,
// which is the original.
func (s source) dispatcher(f *ast.FuncDecl, numbers []int) string {
	var head, call strings.Builder
	head.WriteString("func ")
	if f.Recv != nil {
		fmt.Fprintf(&head, "(receiver__ %s) ", s.of(f.Recv.List[0].Type))
		call.WriteString("receiver__.")
	}
	head.WriteString(f.Name.Name)
	call.WriteString(f.Name.Name + "__%d")
	if types := f.Type.TypeParams; types != nil {
		head.WriteString(s.of(types))
		call.WriteString("[" + strings.Join(names(types), ", ") + "]")
	}
	parameters, arguments := s.parameters(f.Type.Params)
	fmt.Fprintf(&head, "(%s) ", parameters)
	fmt.Fprintf(&call, "(%s)", arguments)
	keyword := ""
	if f.Type.Results != nil {
		head.WriteString(s.of(f.Type.Results))
		keyword = "return "
	}
	head.WriteString(" {\n\tswitch mutant__ {\n")
	for _, n := range numbers {
		fmt.Fprintf(&head, "\tcase \"%d\":\n\t\t%s%s\n", n, keyword, fmt.Sprintf(call.String(), n))
	}
	fmt.Fprintf(&head, "\tdefault:\n\t\t%s%s\n\t}\n}", keyword, fmt.Sprintf(call.String(), 0))
	return head.String()
}

// parameters returns the list with a name for each parameter, and the arguments that pass
// them on.
func (s source) parameters(list *ast.FieldList) (parameters, arguments string) {
	var declared, passed []string
	for _, field := range list.List {
		for range max(1, len(field.Names)) {
			name := fmt.Sprintf("parameter%d__", len(declared))
			declared = append(declared, name+" "+s.of(field.Type))
			if _, variadic := field.Type.(*ast.Ellipsis); variadic {
				name += "..."
			}
			passed = append(passed, name)
		}
	}
	return strings.Join(declared, ", "), strings.Join(passed, ", ")
}

func names(list *ast.FieldList) (all []string) {
	for _, field := range list.List {
		for _, name := range field.Names {
			all = append(all, name.Name)
		}
	}
	return all
}
