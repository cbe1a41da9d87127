package impl_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pure lists the packages that read no clock, start no goroutine, draw from no
// global source of randomness and let no map's order reach an output.
var pure = []string{
	"impl/arbiter", "impl/catalog", "impl/clock", "impl/flow", "impl/sctp", "impl/trace", "impl/bfd", "impl/ha", "impl/ctsync", "impl/node", "impl/driver",
	"impl/dataplane", "impl/dataplane/model", "impl/dataplane/maglev", "impl/health", "scenarios/lab", "scenarios/fault", "scenarios/metric", "scenarios/capability", "scenarios/plan", "scenarios/check", "scenarios/coverage", "scenarios/link", "scenarios/latency", "scenarios/summary",
	"reports/timeline", "reports/cause",
	"sim", "sim/explore", "sim/parity", "sim/shrink",
}

// banned are calls that a pure package may not make.
var banned = map[string][]string{
	"time": {"Now", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Since", "Until"},
	"os":   {"Open", "Create", "ReadFile", "WriteFile", "Getenv"},
}

// seeded are the constructors of math/rand/v2 that take their source from the
// caller; every other function of it draws from the global one.
var seeded = []string{"New", "NewPCG", "NewChaCha8", "Rand", "PCG", "ChaCha8", "Source"}

func TestPurePackagesStayPure(t *testing.T) {
	for _, pkg := range pure {
		files, err := filepath.Glob(filepath.Join("..", pkg, "*.go"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no files; is it still where the design says?", pkg)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, sin := range impurities(t, file) {
				t.Error(sin)
			}
		}
	}
}

// impurities lists what a file does that a pure package may not do.
func impurities(t *testing.T, file string) []string {
	t.Helper()
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return inspect(fset, tree)
}

func inspect(fset *token.FileSet, tree *ast.File) []string {
	var sins []string
	sin := func(n ast.Node, format string, args ...any) {
		sins = append(sins, fmt.Sprintf("%s: %s", fset.Position(n.Pos()), fmt.Sprintf(format, args...)))
	}
	names := map[string]string{} // local name → import path
	for _, spec := range tree.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		name := strings.TrimSuffix(filepath.Base(path), "/v2")
		if path == "math/rand/v2" {
			name = "rand"
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
		if path == "math/rand" || path == "net" || path == "sync" || path == "syscall" {
			sin(spec, "imports %s", path)
		}
	}
	ast.Inspect(tree, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.GoStmt:
			sin(node, "starts a goroutine")
		case *ast.SelectStmt:
			sin(node, "selects over channels")
		case *ast.SelectorExpr:
			ident, ok := node.X.(*ast.Ident)
			if !ok || ident.Obj != nil {
				break
			}
			path := names[ident.Name]
			if slices.Contains(banned[path], node.Sel.Name) {
				sin(node, "uses %s.%s", path, node.Sel.Name)
			}
			if path == "math/rand/v2" && !slices.Contains(seeded, node.Sel.Name) {
				sin(node, "draws from the global source by rand.%s", node.Sel.Name)
			}
		}
		return true
	})
	return sins
}

// TestMapOrderReachesNoOutput type-checks nothing: it asks that every range over
// something declared as a map in the same file is marked by a comment that says
// why its order does not matter, or feeds a sort.
func TestMapOrderReachesNoOutput(t *testing.T) {
	for _, pkg := range pure {
		files, _ := filepath.Glob(filepath.Join("..", pkg, "*.go"))
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			tree, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, pos := range unexplainedMapRanges(fset, tree) {
				t.Errorf("%s: ranges over a map without a comment saying why its order does not matter (\"order\")", pos)
			}
		}
	}
}

func unexplainedMapRanges(fset *token.FileSet, tree *ast.File) []token.Position {
	maps := map[string]bool{}
	ast.Inspect(tree, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.Field:
			if _, ok := node.Type.(*ast.MapType); ok {
				for _, name := range node.Names {
					maps[name.Name] = true
				}
			}
		case *ast.ValueSpec:
			for i, name := range node.Names {
				if isMap(node.Type) || i < len(node.Values) && isMap(node.Values[i]) {
					maps[name.Name] = true
				}
			}
		case *ast.AssignStmt:
			for i, left := range node.Lhs {
				if name, ok := left.(*ast.Ident); ok && i < len(node.Rhs) && isMap(node.Rhs[i]) {
					maps[name.Name] = true
				}
			}
		}
		return true
	})
	var found []token.Position
	ast.Inspect(tree, func(node ast.Node) bool {
		loop, ok := node.(*ast.RangeStmt)
		if !ok || !maps[lastName(loop.X)] {
			return true
		}
		line := fset.Position(loop.Pos()).Line
		for _, group := range tree.Comments {
			end := fset.Position(group.End()).Line
			start := fset.Position(group.Pos()).Line
			if start <= line && end >= line-1 && strings.Contains(group.Text(), "order") {
				return true
			}
		}
		found = append(found, fset.Position(loop.Pos()))
		return true
	})
	return found
}

func isMap(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.MapType:
		return true
	case *ast.CompositeLit:
		return isMap(e.Type)
	case *ast.CallExpr:
		name, ok := e.Fun.(*ast.Ident)
		return ok && name.Name == "make" && len(e.Args) > 0 && isMap(e.Args[0])
	}
	return false
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// TestEveryImpurityIsDetected plants each impurity once.
func TestEveryImpurityIsDetected(t *testing.T) {
	planted := map[string]string{
		"clock":       `package p; import "time"; var t = time.Now()`,
		"sleep":       `package p; import "time"; func f() { time.Sleep(1) }`,
		"renamed":     `package p; import tm "time"; var t = tm.Now()`,
		"goroutine":   `package p; func f() { go f() }`,
		"global rand": `package p; import "math/rand/v2"; var i = rand.IntN(3)`,
		"old rand":    `package p; import "math/rand"; var i = rand.Intn(3)`,
		"socket":      `package p; import "net"; var c net.Conn`,
	}
	for name, src := range planted {
		fset := token.NewFileSet()
		tree, err := parser.ParseFile(fset, name+".go", src, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if len(inspect(fset, tree)) == 0 {
			t.Errorf("planted %q was not seen", name)
		}
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, "m.go", "package p\nvar m = map[int]int{}\nfunc f() {\n\tfor k := range m {\n\t\tprintln(k)\n\t}\n}\n", parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if len(unexplainedMapRanges(fset, tree)) != 1 {
		t.Error("a planted range over a map was not seen")
	}
}
