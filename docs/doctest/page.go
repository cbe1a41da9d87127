// Package doctest executes the commands of the documentation: it reads a page as GitHub
// does, runs its blocks of commands, and compares the shown output with the printed one.
// It also checks the links of a page.
//
// The first word after a fence is the block's language. These may follow:
//
//	run            executed wherever tests run: needs no privilege, takes seconds
//	run=nightly    executed as root, with the nightly tests: needs namespaces, or takes minutes
//	needs=A,B      programs without which the block is skipped
//	skip="WHY"     not executed, and why
//	exit=N         exit code of the block's last command; 0 if left out
//	figures        numbers differ from run to run and are not compared
//	file=NAME      the block is a file, which the commands of the page find by that name
//	same=FILE      the block shows the repository's FILE, byte for byte
//
// A block of commands without run, skip, file or same is a mistake, so that no command
// is left unexecuted by accident.
package doctest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// A Page is one file of the documentation.
type Page struct {
	File   string // from the working directory
	Source []byte
	Blocks []Block
	tree   ast.Node
}

// When says which tests execute a block.
type When int

const (
	Never   When = iota // the block holds no commands, or is skipped
	Quick               // wherever tests run
	Nightly             // as root; needs namespaces, or takes minutes
)

// A Block is one fenced block.
type Block struct {
	Line     int // number of its first line of content
	Language string
	When     When
	Skip     string   // why its commands are not executed
	Needs    []string // programs
	Exit     int      // code of the last command
	Figures  bool     // numbers are not compared
	Name     string   // of the file that the block is
	Same     string   // file of the repository that the block shows
	Text     string
	start    int // offset of Text in the page's source
}

// Read reads a page and the attributes of its blocks.
func Read(file string) (*Page, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p := &Page{File: file, Source: source}
	p.tree = goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	return p, ast.Walk(p.tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		fence, ok := n.(*ast.FencedCodeBlock)
		if !ok || !entering || fence.Info == nil {
			return ast.WalkContinue, nil
		}
		b, err := newBlock(string(fence.Info.Segment.Value(source)))
		if fence.Lines().Len() > 0 {
			b.start = fence.Lines().At(0).Start
			b.Line = p.line(b.start)
		}
		b.Text = string(fence.Lines().Value(source))
		if err != nil {
			return ast.WalkStop, fmt.Errorf("%s:%d: %w", file, b.Line-1, err)
		}
		p.Blocks = append(p.Blocks, b)
		return ast.WalkContinue, nil
	})
}

// line returns the number of the line that contains the byte at offset.
func (p *Page) line(offset int) int {
	return strings.Count(string(p.Source[:offset]), "\n") + 1
}

// commands are the languages whose blocks are executed.
var commands = []string{"console", "sh"}

var attribute = regexp.MustCompile(`([a-z]+)(?:="([^"]*)"|=(\S+))?`)

// newBlock reads an info string.
func newBlock(info string) (Block, error) {
	language, rest, _ := strings.Cut(info, " ")
	b := Block{Language: language}
	for _, m := range attribute.FindAllStringSubmatch(rest, -1) {
		if err := b.set(m[1], m[2]+m[3]); err != nil {
			return b, err
		}
	}
	executable := slices.Contains(commands, b.Language)
	switch told := b.When != Never || b.Skip != "" || b.Name != "" || b.Same != ""; {
	case executable && !told:
		return b, fmt.Errorf("a block of %s that says none of run, skip, file and same", b.Language)
	case !executable && (b.When != Never || b.Skip != ""):
		return b, fmt.Errorf("a block of %s is not executed; use %s", b.Language, strings.Join(commands, " or "))
	}
	return b, nil
}

func (b *Block) set(key, value string) (err error) {
	switch key {
	case "run":
		when, ok := map[string]When{"": Quick, "nightly": Nightly}[value]
		if !ok {
			return fmt.Errorf("run=%s: use run or run=nightly", value)
		}
		b.When = when
	case "skip":
		if value == "" {
			return fmt.Errorf("skip needs a reason")
		}
		b.Skip = value
	case "needs":
		b.Needs = strings.Split(value, ",")
	case "exit":
		b.Exit, err = strconv.Atoi(value)
	case "figures":
		b.Figures = true
	case "file":
		b.Name = value
	case "same":
		b.Same = value
	default:
		err = fmt.Errorf("unknown attribute %q", key)
	}
	return err
}

// Rewrite replaces the texts of blocks, by their index, in the page's file.
func (p *Page) Rewrite(texts map[int]string) error {
	source := string(p.Source)
	for i, b := range slices.Backward(p.Blocks) {
		if text, ok := texts[i]; ok && source[b.start:b.start+len(b.Text)] == b.Text {
			source = source[:b.start] + text + source[b.start+len(b.Text):]
		}
	}
	return os.WriteFile(p.File, []byte(source), 0o644)
}
