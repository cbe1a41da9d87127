package mutants

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// joined is source text that contains several mutants. It has each changed function in its
// original form and in the form of each mutant, and a function with the original name that
// calls the one of the mutant that the process runs as. A test sees no difference but the time
// of that call. The value of a changed package variable is chosen when the process starts.
type joined struct {
	files   map[string]string // by path from the module's root
	numbers map[string]int    // of the mutants in it, by name
}

// of returns the number of a mutant, 0 if it is not in the text.
func (j *joined) of(name string) int {
	if j == nil {
		return 0
	}
	return j.numbers[name]
}

var (
	// compileError matches the position at the start of a compiler error.
	compileError = regexp.MustCompile(`(?m)^(\S+\.go):(\d+):`)
	// marked matches the line that mark returns.
	marked = regexp.MustCompile(`^//mutant__(\d+)$`)
)

// blamed returns the mutants in whose text the compiler found errors, by name.
func (j *joined) blamed(err error) map[string]bool {
	if err == nil {
		return nil
	}
	broken := map[string]bool{}
	for _, place := range compileError.FindAllStringSubmatch(err.Error(), -1) {
		number := ""
		last, _ := strconv.Atoi(place[2])
		for i, line := range strings.Split(j.files[strings.ReplaceAll(filepath.Base(place[1]), "~", "/")], "\n") {
			if m := marked.FindStringSubmatch(line); m != nil && i < last {
				number = m[1]
			}
		}
		for name, n := range j.numbers {
			if strconv.Itoa(n) == number {
				broken[name] = true
			}
		}
	}
	return broken
}

const (
	// playing is the environment variable with the number of the mutant that a process runs as.
	playing = "BATON_MUTANT"
	// chooser is the file that reads it, in each changed package.
	chooser = "zz_mutant.go"
)

// chooserText is the text of a chooser, with placeholders for the package's name and playing.
const chooserText = `package %s

import "os"

var mutant__ = os.Getenv(%q)

func pick__[T any](numbers []string, original T, others ...T) T {
	for i, n := range numbers {
		if n == mutant__ {
			return others[i]
		}
	}
	return original
}
`

// place is the index of a declaration in a file, and of a variable within it.
type place struct {
	declaration int
	variable    int // -1: the declaration is a function
}

// variants are the mutants' texts of functions and values of variables, by file, place and number
// of the mutant.
type variants map[string]map[place]map[int]string

// join puts the mutants that change only bodies of functions and values of variables into one text.
// The others are left out and built alone.
func join(root string, list []Mutant) (*joined, error) {
	j := &joined{files: map[string]string{}, numbers: map[string]int{}}
	all, originals := variants{}, map[string]string{}
	for _, m := range list {
		changed, err := m.Apply(root)
		if err != nil {
			continue // its own run reports the error
		}
		own := map[string]map[place]string{}
		for file, after := range changed {
			before, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				return nil, err
			}
			originals[file] = string(before)
			if own[file] = changes(string(before), after); own[file] == nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				own = nil
				break
			}
		}
		if own != nil {
			j.numbers[m.Name] = len(j.numbers) + 1
			all.add(j.numbers[m.Name], own)
		}
	}
	for file, changed := range all {
		text, name := withVariants(originals[file], changed)
		j.files[file] = text
		j.files[filepath.Join(filepath.Dir(file), chooser)] = fmt.Sprintf(chooserText, name, playing)
	}
	return j, nil
}

func (v variants) add(number int, own map[string]map[place]string) {
	for file, changed := range own {
		for at, text := range changed {
			if v[file] == nil {
				v[file] = map[place]map[int]string{}
			}
			if v[file][at] == nil {
				v[file][at] = map[int]string{}
			}
			v[file][at][number] = text
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

// span returns the text between two positions.
func (s source) span(from, to token.Pos) string {
	return s.text[s.set.Position(from).Offset:s.set.Position(to).Offset]
}

func (s source) of(n ast.Node) string { return s.span(n.Pos(), n.End()) }

// changes returns the bodies of functions and values of variables that differ, nil if anything
// else differs too.
func changes(before, after string) map[place]string {
	a, errA := parse(before)
	b, errB := parse(after)
	if errA != nil || errB != nil || len(a.Decls) != len(b.Decls) {
		return nil
	}
	changed := map[place]string{}
	for i := range a.Decls {
		if a.of(a.Decls[i]) == b.of(b.Decls[i]) {
			continue
		}
		switch f := a.Decls[i].(type) {
		case *ast.FuncDecl:
			g, ok := b.Decls[i].(*ast.FuncDecl)
			if !ok || f.Name.Name == "init" || f.Name.Name == "main" ||
				a.span(f.Pos(), f.Body.Pos()) != b.span(g.Pos(), g.Body.Pos()) {
				return nil
			}
			changed[place{i, -1}] = b.of(g)
		case *ast.GenDecl:
			g, ok := b.Decls[i].(*ast.GenDecl)
			if !ok || f.Tok != token.VAR || g.Tok != token.VAR || len(f.Specs) != len(g.Specs) {
				return nil
			}
			for k := range f.Specs {
				v, w := f.Specs[k].(*ast.ValueSpec), g.Specs[k].(*ast.ValueSpec)
				if a.of(v) == b.of(w) {
					continue
				}
				if len(v.Names) != 1 || len(v.Values) != 1 || len(w.Values) != 1 || a.span(v.Pos(), v.Values[0].Pos()) != b.span(w.Pos(), w.Values[0].Pos()) {
					return nil
				}
				changed[place{i, k}] = b.of(w.Values[0])
			}
		}
	}
	return changed
}

// withVariants returns a file with the mutants' variants added to its functions and variables, and
// the name of its package.
func withVariants(text string, changed map[place]map[int]string) (joined, name string) {
	s, err := parse(text)
	if err != nil {
		panic(err) // changes has parsed it
	}
	var out strings.Builder
	at := s.FileStart
	for i, decl := range s.Decls {
		if others := changed[place{i, -1}]; others != nil {
			f := decl.(*ast.FuncDecl)
			out.WriteString(s.span(at, f.Pos()) + s.functions(f, others))
			at = f.End()
		}
		if g, ok := decl.(*ast.GenDecl); ok {
			for k, spec := range g.Specs {
				if others := changed[place{i, k}]; others != nil {
					v := spec.(*ast.ValueSpec)
					out.WriteString(s.span(at, v.Values[0].Pos()) + s.values(v, others))
					at = v.End()
				}
			}
		}
	}
	out.WriteString(s.text[s.set.Position(at).Offset:])
	return out.String(), s.Name.Name
}

// mark returns a line that names the mutant to which the following text belongs.
func mark(number int) string { return fmt.Sprintf("\n//mutant__%d\n", number) }

// functions returns the function that dispatches, the mutants' variants and the original.
func (s source) functions(f *ast.FuncDecl, others map[int]string) string {
	var out strings.Builder
	numbers := slices.Sorted(maps.Keys(others))
	out.WriteString(s.dispatcher(f, numbers))
	name := int(f.Name.End() - f.Pos())
	write := func(text string, number int) {
		fmt.Fprintf(&out, "\n%s%s__%d%s", mark(number), text[:name], number, text[name:])
	}
	for _, n := range numbers {
		write(others[n], n)
	}
	write(s.of(f), 0)
	return out.String()
}

// values returns the expression that chooses the original value or a mutant's.
func (s source) values(v *ast.ValueSpec, others map[int]string) string {
	var numbers, values strings.Builder
	for _, n := range slices.Sorted(maps.Keys(others)) {
		fmt.Fprintf(&numbers, "\"%d\", ", n)
		values.WriteString(mark(n) + others[n] + "," + mark(0))
	}
	kind := ""
	if v.Type != nil {
		kind = "[" + s.of(v.Type) + "]"
	}
	return fmt.Sprintf("pick__%s([]string{%s}, %s,%s)", kind, numbers.String(), s.of(v.Values[0]), values.String())
}

// dispatcher returns the function that calls the variant of the mutant that the process runs as,
// or number 0, the original.
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

// parameters returns the parameter list with a name for each parameter, and the arguments of the
// call that passes them.
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
