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

// Limits of a scenario's files. A usual scenario fits on a screen.
const (
	maxSource   = 1 << 20 // bytes of one file
	maxIncludes = 32      // files
)

// Reader reads a file that a scenario includes. The path of an include line is relative to the
// folder of its file.
type Reader func(file string) ([]byte, error)

// source has a scenario's lines, with those of included files in their places. A position in the
// scenario's own file has no file name.
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

// load adds the lines of a file. chain has the files whose include lines led to it.
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

// path returns the path of a position's file.
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
		s.errorf(at, "the line ends too early; the form is: %s", mustDirective("include").usage)
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
		s.errorf(at, "include %s: files cannot be included here", text)
	case slices.Contains(chain, file):
		s.errorf(at, "include %s: the file includes itself", text)
	case len(s.texts) > maxIncludes:
		s.errorf(at, "include %s: more than %d included files", text, maxIncludes)
	default:
		src, err := s.read(file)
		if err != nil {
			s.errorf(at, "include %s: %v", text, err)
			return
		}
		s.load(file, src, chain)
	}
}
