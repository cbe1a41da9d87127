package plan

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// Limits of what a scenario may be made of. Scenarios are a screen long.
const (
	maxSource   = 1 << 20 // bytes of one file
	maxIncludes = 32      // files
)

// Reader reads a file that a scenario includes. The path is that of the line, seen from
// the folder of the file that has the line.
type Reader func(file string) ([]byte, error)

// source is a scenario's lines, with those of included files in their places. A position
// in the scenario's own file has no file name.
type source struct {
	read  Reader
	own   string            // name of the scenario's file
	texts map[string]string // by the file names of positions
	lines [][]lexer.Token
	found Diagnostics
}

func (s *source) errorf(at Pos, format string, args ...any) {
	s.found = append(s.found, Diagnostic{Pos: at, Message: fmt.Sprintf(format, args...)})
}

// load adds the lines of a file, which the files of the chain have included.
func (s *source) load(name string, src []byte, chain []string) {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	begin := Pos{File: name, Line: 1, Column: 1}
	switch {
	case len(src) > maxSource:
		s.errorf(begin, "the file is longer than %d bytes", maxSource)
		return
	case !utf8.Valid(src):
		at := invalidAt(src)
		at.File = name
		s.errorf(at, "the text is not UTF-8")
		return
	}
	lines, err := split(name, string(src))
	if err != nil {
		s.errorf(begin, "cannot be split into words: %v", err)
		return
	}
	s.texts[name] = string(src)
	for _, line := range lines {
		if line[0].Type != symbols["Include"] {
			s.lines = append(s.lines, line)
			continue
		}
		s.include(line, append(chain, s.path(name)))
	}
}

// path is where a file of a position is.
func (s *source) path(name string) string {
	if name == "" {
		return s.own
	}
	return name
}

// include adds the lines of the file that a line names.
func (s *source) include(line []lexer.Token, chain []string) {
	at := position(line[1].Pos)
	if line[1].EOF() {
		s.errorf(at, "the line ends too early; its form is: %s", mustDirective("include").usage)
		return
	}
	text, _, _ := strings.Cut(line[1].Value, "#")
	text = strings.TrimSpace(text)
	file := text
	if !path.IsAbs(file) {
		file = path.Join(path.Dir(chain[len(chain)-1]), file)
	}
	switch {
	case s.read == nil:
		s.errorf(at, "include %s: there is nowhere to read it from", text)
	case slices.Contains(chain, file):
		s.errorf(at, "include %s: it is included by itself", text)
	case len(s.texts) > maxIncludes:
		s.errorf(at, "include %s: more than %d files", text, maxIncludes)
	default:
		src, err := s.read(file)
		if err != nil {
			s.errorf(at, "include %s: %v", text, err)
			return
		}
		s.load(file, src, chain)
	}
}
