package doctest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/yuin/goldmark/ast"
)

// Links returns an error for each of the page's links to a missing file or heading.
// Links to other hosts are not checked.
func (p *Page) Links() []error {
	var wrong []error
	_ = ast.Walk(p.tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		link, ok := n.(*ast.Link)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		if err := p.follow(string(link.Destination)); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", p.File, err))
		}
		return ast.WalkContinue, nil
	})
	return wrong
}

func (p *Page) follow(destination string) error {
	u, err := url.Parse(destination)
	if err != nil || u.Host != "" {
		return err
	}
	target := p
	if u.Path != "" {
		file := filepath.Join(filepath.Dir(p.File), u.Path)
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("link to %s: there is no such file", destination)
		}
		if u.Fragment == "" {
			return nil
		}
		if target, err = Read(file); err != nil {
			return err
		}
	}
	if !target.anchors()[u.Fragment] {
		return fmt.Errorf("link to %s: the page has no such heading", destination)
	}
	return nil
}

// anchors returns the names that GitHub gives the page's headings as link targets.
func (p *Page) anchors() map[string]bool {
	names := map[string]bool{}
	_ = ast.Walk(p.tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if heading, ok := n.(*ast.Heading); ok && entering {
			name := slug(plain(heading, p.Source))
			unique := name
			for i := 1; names[unique]; i++ {
				unique = fmt.Sprintf("%s-%d", name, i)
			}
			names[unique] = true
		}
		return ast.WalkContinue, nil
	})
	return names
}

// plain returns the text of a heading without markup.
func plain(n ast.Node, source []byte) string {
	var s strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			s.Write(t.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return s.String()
}

// slug returns GitHub's name of a heading: lower case, blanks as dashes, no punctuation.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
