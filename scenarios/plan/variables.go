package plan

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"baton/scenarios/fault"
)

// maxCases limits how many scenarios a file may define.
const maxCases = 256

// binding is the value of a variable.
type binding struct {
	tokens []lexer.Token
	text   string
	at     Pos
}

// variables has the bindings of one case by name.
type variables map[string]binding

// bound has the lines of one case, with every variable replaced by its value.
type bound struct {
	lines  [][]lexer.Token
	values variables
	varied []string // names of the for lines, in their order
	used   map[string]bool
	found  Diagnostics
	broken []string // first words of lines that were left out
}

var isVariable = regexp.MustCompile(`\$[A-Za-z_][A-Za-z0-9_]*`)

// cases binds the lines to every combination of the values of the for lines.
func (s *source) cases() []bound {
	counts := []int{}
	all := []bound{s.bind(nil, &counts)}
	total := 1
	for _, n := range counts {
		total *= n
	}
	if total > maxCases {
		all[0].found = append(all[0].found, Diagnostic{Pos: Pos{Line: 1, Column: 1}, Message: fmt.Sprintf("the file defines %d scenarios, more than %d", total, maxCases)})
		return all
	}
	for i := 1; i < total; i++ {
		choice, rest := make([]int, len(counts)), i
		for j := len(counts) - 1; j >= 0; j-- {
			choice[j], rest = rest%counts[j], rest/counts[j]
		}
		all = append(all, s.bind(choice, nil))
	}
	return all
}

// bind replaces variables line by line. choice has the index of the value of each for line, nil
// for the first of each; counts gets the number of values of each.
func (s *source) bind(choice []int, counts *[]int) bound {
	b := bound{values: variables{}, used: map[string]bool{}}
	for _, line := range s.lines {
		line, ok := b.replace(line)
		switch word := line[0].Value; {
		case !ok:
			b.broken = append(b.broken, strings.TrimSpace(word))
		case word == "let":
			b.let(line)
		case word == "for":
			values, name := b.valuesOf(line)
			if len(values) == 0 {
				continue
			}
			if counts != nil {
				*counts = append(*counts, len(values))
			}
			value := values[0]
			if n := len(b.varied); n < len(choice) {
				value = values[choice[n]]
			}
			b.define(name, value)
			b.varied = append(b.varied, name.Value)
		default:
			b.lines = append(b.lines, line)
		}
	}
	b.prose()
	for _, name := range slices.Sorted(maps.Keys(b.values)) {
		if v := b.values[name]; !b.used[name] {
			b.found = append(b.found, Diagnostic{Pos: v.at, Severity: Warning, Message: fmt.Sprintf("$%s is not used", name)})
		}
	}
	return b
}

func (b *bound) errorf(at lexer.Position, suggestion, format string, args ...any) {
	b.found = append(b.found, Diagnostic{Pos: position(at), Message: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

// replace puts the values of variables into a line, false if one is not defined.
func (b *bound) replace(line []lexer.Token) ([]lexer.Token, bool) {
	ok := true
	var replaced []lexer.Token
	for i, token := range line {
		switch {
		case token.Type != symbols["Var"]:
			replaced = append(replaced, token)
		default:
			name := token.Value[1:]
			value, known := b.values[name]
			if !known {
				ok = false
				b.errorf(token.Pos, dollar(Nearest(name, slices.Sorted(maps.Keys(b.values)))), "unknown variable %q; define it above: %s", token.Value, mustDirective("let").usage)
				replaced = append(replaced, token)
				continue
			}
			b.used[name] = true
			for _, part := range value.tokens {
				part.Pos = token.Pos
				if part.Type == tokenWord && slices.Contains(fault.Words(), part.Value) && begins(line[:i]) {
					part.Type = tokenFault
				}
				replaced = append(replaced, part)
			}
		}
	}
	return replaced, ok
}

func dollar(name string) string {
	if name == "" {
		return ""
	}
	return "$" + name
}

// begins reports whether a token has only a guard and a time before it.
func begins(before []lexer.Token) bool {
	return !slices.ContainsFunc(before, func(t lexer.Token) bool { return t.Type == tokenWord || t.Type == tokenFault })
}

// prose replaces variables in names and texts, which may come before the variables' lines.
func (b *bound) prose() {
	for _, line := range b.lines {
		for i, token := range line {
			if token.Type == symbols["Text"] {
				line[i].Value = b.text(token.Value)
			}
		}
	}
}

// text replaces the variables in prose. A dollar sign without a variable stays.
func (b *bound) text(prose string) string {
	return isVariable.ReplaceAllStringFunc(prose, func(name string) string {
		value, known := b.values[name[1:]]
		if !known {
			return name
		}
		b.used[name[1:]] = true
		return value.text
	})
}

// let reads let NAME = VALUE. The value is the rest of the line.
func (b *bound) let(line []lexer.Token) {
	usage := mustDirective("let").usage
	if len(line) < 5 || line[1].Type != tokenWord || line[2].Value != "=" {
		b.errorf(line[len(line)-1].Pos, "", "unexpected end or word; the form is: %s", usage)
		return
	}
	b.define(line[1], line[3:len(line)-1])
}

// valuesOf reads for NAME in VALUE VALUE…. Values of several words are separated by commas.
func (b *bound) valuesOf(line []lexer.Token) (values [][]lexer.Token, name lexer.Token) {
	usage := mustDirective("for").usage
	if len(line) < 5 || line[1].Type != tokenWord || line[2].Value != "in" {
		b.errorf(line[len(line)-1].Pos, "", "unexpected end or word; the form is: %s", usage)
		return nil, lexer.Token{}
	}
	rest := line[3 : len(line)-1]
	if last := rest[len(rest)-1]; last.Value == "{" {
		b.errorf(last.Pos, "", "for opens no block: the whole file is a scenario for each value; remove { and its }")
		rest = rest[:len(rest)-1]
	}
	comma := func(t lexer.Token) bool { return t.Value == "," }
	if !slices.ContainsFunc(rest, comma) {
		for first, i := 0, 1; i <= len(rest); i++ {
			if i == len(rest) || !touch(rest[i-1], rest[i]) {
				values, first = append(values, rest[first:i]), i
			}
		}
		return values, line[1]
	}
	for len(rest) > 0 {
		end := slices.IndexFunc(rest, comma)
		if end < 0 {
			end = len(rest)
		}
		if end > 0 {
			values = append(values, rest[:end])
		}
		rest = rest[min(end+1, len(rest)):]
	}
	return values, line[1]
}

// touch reports whether no space stands between two tokens, as in lb1->lb2.
func touch(a, b lexer.Token) bool { return b.Pos.Offset <= a.Pos.Offset+len(a.Value) }

func (b *bound) define(name lexer.Token, value []lexer.Token) {
	if first, again := b.values[name.Value]; again {
		b.errorf(name.Pos, "", "a second $%s; the first is %s", name.Value, first.at)
		return
	}
	words := make([]string, len(value))
	for i, token := range value {
		words[i] = token.Value
	}
	b.values[name.Value] = binding{tokens: value, text: strings.Join(words, ""), at: position(name.Pos)}
}

// arrowsInNames keeps the names of two cases distinct that differ only in an arrow.
var arrowsInNames = strings.NewReplacer("<->", "-and-", "->", "-to-")

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._]+`)

// suffix is appended to the name of a scenario: the values of its case that the name does not
// contain.
func (b *bound) suffix(name string) string {
	var s strings.Builder
	for _, varied := range b.varied {
		if value := b.values[varied].text; !strings.Contains(name, "$"+varied) {
			s.WriteString("-" + strings.Trim(notInNames.ReplaceAllString(arrowsInNames.Replace(value), "-"), "-"))
		}
	}
	return s.String()
}
