package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// Parse reads a scenario and checks it. The error, if any, is a Diagnostics with every problem
// of severity Error, in the order of their positions. Parse allows unsafe settings, see
// Plan.Unsafe. For a file with include lines or several scenarios, use Expand.
func Parse(file string, src []byte) (*Plan, error) {
	plans, found := Expand(file, src, nil)
	if len(plans) > 1 {
		found = append(found, Diagnostic{File: file, Pos: Pos{Line: 1, Column: 1}, Message: fmt.Sprintf("the file defines %d scenarios, not one", len(plans))})
	}
	if err := found.Errors(true).err(); err != nil {
		return nil, err
	}
	return plans[0], nil
}

// Check reads a scenario and returns all its problems. After errors, the plan has the lines that
// could be parsed.
func Check(file string, src []byte) (*Plan, Diagnostics) {
	plans, found := Expand(file, src, nil)
	return plans[0], found
}

// Expand reads a file and returns its scenarios, one unless it has for lines, and all their
// problems. read reads the files of include lines; if it is nil, include lines are errors.
func Expand(file string, src []byte, read Reader) ([]*Plan, Diagnostics) {
	s := &source{read: read, own: file, texts: map[string]string{}}
	s.load("", src, nil)
	all := s.found
	var plans []*Plan
	for _, lines := range s.cases() {
		b := &builder{source: s, bound: &lines, plan: &Plan{File: file, Topo: defaultTopo, Tolerate: DefaultTolerate}, broken: map[string]bool{}}
		found := b.build()
		if len(s.found) == 0 { // otherwise lint would report lines that are missing from the part that could not be read
			found = append(found, lint(b.plan, b.broken)...)
		}
		for i := range found {
			found[i].Pos = sharpen(lines.lines, found[i])
		}
		plans, all = append(plans, b.plan), append(all, found...)
	}
	for i := range all {
		all[i].File = s.path(all[i].Pos.File)
	}
	return plans, all.sorted()
}

// build makes the plan from the lines of one case.
func (b *builder) build() Diagnostics {
	b.found = append(b.found, b.bound.found...)
	for _, word := range b.bound.broken {
		b.breaks(word)
	}
	for _, line := range b.bound.lines {
		b.line(line)
	}
	b.finish()
	return b.found
}

// breaks notes that a line of a directive could not be parsed, so that lint does not report
// consequences of that.
func (b *builder) breaks(word string) {
	d, known := directiveOf(word)
	b.broken[word] = true
	b.broken["step"] = b.broken["step"] || !known || d.step
}

// line parses one line and adds it to the plan.
func (b *builder) line(tokens []lexer.Token) {
	head := slices.IndexFunc(tokens, func(t lexer.Token) bool {
		return t.Type == tokenWord || t.Type == tokenFault || t.Type == symbols["Doc"] || t.Type == symbols["Scenario"]
	})
	first := 0 // the first token that is neither guard nor time
	for first < len(tokens) && tokens[first].Type == symbols["Guard"] {
		first++
	}
	if tokens[first].Value == "}" && first+2 == len(tokens) {
		b.close(position(tokens[first].Pos))
		return
	}
	if tokens[first].Value == "@" {
		first += 2
		for first < len(tokens) && (tokens[first].Value == "+" || tokens[first].Value == "-") {
			first += 2 // @2s+50ms
		}
		first = min(first, len(tokens)-1)
	}
	d, known := directive{}, false
	if head == first {
		d, known = directiveOf(strings.TrimSpace(tokens[head].Value))
	}
	if !known {
		b.unknownDirective(tokens, tokens[first])
		return
	}
	if b.spaced(tokens) {
		b.breaks(d.word)
		return
	}
	before := len(b.found)
	peeker, err := lexer.Upgrade(&replay{tokens})
	if err == nil {
		var s *statement
		if s, err = grammar.ParseFromLexer(peeker); err == nil {
			last, written := tokens[len(tokens)-1], b.source.texts[tokens[first].Pos.Filename]
			text := b.bound.text(written[tokens[first].Pos.Offset:last.Pos.Offset])
			b.statement(s, d, strings.Join(strings.Fields(text), " "), position(tokens[first].Pos))
		}
	}
	if err != nil {
		b.syntax(d, tokens, err)
	}
	if len(b.found) > before {
		b.breaks(d.word)
	}
}

// unknownDirective reports a line that does not begin with a known word. It marks the directives
// that the line may have been as broken, so that lint does not report them as missing.
func (b *builder) unknownDirective(tokens []lexer.Token, token lexer.Token) {
	word := strings.TrimSpace(token.Value)
	called := calledHere(word, tokens)
	meant := cmp.Or(called.Word, ourWord(foreignLines, word))
	if meant == "" && len(word) > 2 { // one letter of two is no misspelling
		meant = Nearest(word, directiveWords())
	}
	unknown := fmt.Sprintf("no line begins with %q", word)
	if tokens[0].Value == "@" {
		unknown = fmt.Sprintf("%q is not a step", word)
		if meant == "" {
			unknown += fmt.Sprintf(": it is %s, %s, %s or a fault, %s", VerbWait, VerbExpect, VerbEnd, oneOf(fault.Words()))
		}
	}
	next := following(tokens, token)
	switch {
	case (next.Type == symbols["Number"] || next.Value == "=") && slices.Contains(foreignAt, strings.ToLower(word)):
		if next.Value == "=" {
			next = following(tokens, next)
		}
		b.errorf(position(token.Pos), "@"+next.Value, "%s", unknown)
	case token.EOF():
		b.errorf(position(token.Pos), "", "the line has a guard or a time, but no statement")
	case token.Type == symbols["Guard"]:
		b.errorf(position(token.Pos), "", "%s belongs in front of the time: %s @2s …", word, word)
	case token.Type == symbols["Number"]:
		b.errorf(position(token.Pos), "@"+word, "a line cannot begin with %q", word)
	case strings.EqualFold(word, "sleep"), called.Word == fault.Freeze && next.Type == symbols["Number"]:
		b.errorf(position(token.Pos), "", "%s", passesTime)
	case token.Type == symbols["Punct"] || token.Type == symbols["Other"]:
		b.errorf(position(token.Pos), "", "unexpected %q; a step has one time, and its fault or claim follows, as in @5s crash lb1", word)
	case strings.EqualFold(word, "never"):
		b.errorf(position(token.Pos), "", "%s: write always with what holds instead, as in always rst == 0", unknown)
	case called.Word != "":
		b.errorf(position(token.Pos), meant, "%s; the form is: %s", unknown, called.Usage())
	default:
		b.errorf(position(token.Pos), meant, "%s", unknown)
	}
	for _, d := range directives {
		if meant == "" || meant == d.word {
			b.broken[d.word] = true
			b.broken["step"] = b.broken["step"] || d.step
		}
	}
}

// calledHere is the fault that other tools call word. Of several it is one that takes an amount if the line has one.
func calledHere(word string, tokens []lexer.Token) (meant fault.Verb) {
	amount := slices.ContainsFunc(tokens, func(t lexer.Token) bool {
		return t.Type == symbols["Number"] && preceding(tokens, t).Value != "@" && preceding(tokens, t).Value != "for"
	})
	for _, called := range fault.Called(word) {
		verb, _ := fault.Of(called)
		if meant.Word == "" || (verb.Share || verb.Time) == amount {
			meant = verb
		}
	}
	return meant
}

// syntax reports a line that the grammar refuses, with its proper form.
func (b *builder) syntax(d directive, tokens []lexer.Token, err error) {
	var unexpected *participle.UnexpectedTokenError
	var any participle.Error
	switch {
	case errors.As(err, &unexpected) && b.foreign(d, tokens, unexpected.Unexpected):
	case errors.As(err, &unexpected) && unexpected.Unexpected.EOF():
		b.errorf(position(unexpected.Unexpected.Pos), "", "the line ends too early; the form is: %s", d.form())
	case errors.As(err, &unexpected):
		token := culprit(d, tokens, unexpected.Unexpected)
		switch before := preceding(tokens, token); {
		case before.Value == "=" && (token.Value == "<" || token.Value == ">"): // in =< or =>
			b.errorf(position(before.Pos), token.Value+"=", "unknown comparison %q", "="+token.Value)
		case token.Value == `"`:
			b.errorf(position(token.Pos), "", "the quote does not end on its line; the form is: %s", d.usage)
		case token.Type == symbols["Number"]:
			meant := d.lasting(token.Value)
			if _, _, host := lab.ParseName(before.Value); !host && !slices.Contains(links, before.Value) && !b.packets(&word{Text: before.Value}) {
				meant = "" // for would follow a wrong word
			}
			b.errorf(position(token.Pos), meant, "unexpected %q; the form is: %s", token.Value, d.form())
		default:
			b.errorf(position(token.Pos), Nearest(token.Value, d.words), "unexpected %q; the form is: %s", token.Value, d.form())
		}
	case errors.As(err, &any):
		b.errorf(position(any.Position()), "", "%s; the form is: %s", any.Message(), d.usage)
	default:
		b.errorf(Pos{Line: 1, Column: 1}, "", "%v", err)
	}
}

// preceding is the token right before another.
func preceding(tokens []lexer.Token, of lexer.Token) lexer.Token {
	if at := slices.IndexFunc(tokens, func(t lexer.Token) bool { return t.Pos == of.Pos }); at > 0 {
		return tokens[at-1]
	}
	return lexer.Token{}
}

// form is the form of the directive, with those of its conditions.
func (d directive) form() string {
	if d.claims() {
		return d.usage + conditionForms
	}
	return d.usage
}

// lasting is what a duration at the end of a fault was meant to be, "" if the fault cannot last.
func (d directive) lasting(text string) string {
	verb, is := fault.Of(d.word)
	if duration, err := time.ParseDuration(text); !is || err != nil || duration <= 0 || verb.Undo == "" || verb.Time || verb.Share {
		return ""
	}
	return "for " + text
}

// culprit is the token to report: the one before the unexpected token if that is a misspelt word
// of the directive, as fr in "crash lb1 fr 2s".
func culprit(d directive, tokens []lexer.Token, unexpected lexer.Token) lexer.Token {
	at := slices.IndexFunc(tokens, func(t lexer.Token) bool { return t.Pos == unexpected.Pos })
	for at--; at > 0 && tokens[at].Type == symbols["Space"]; at-- {
	}
	if at > 0 && tokens[at].Type == tokenWord && !slices.Contains(slices.Concat(d.words, links, lab.KindNames()), tokens[at].Value) && Nearest(tokens[at].Value, d.words) != "" {
		return tokens[at]
	}
	return unexpected
}

func position(p lexer.Position) Pos { return Pos{File: p.Filename, Line: p.Line, Column: p.Column} }

// invalidAt is the position of the first byte that is not UTF-8.
func invalidAt(src []byte) Pos {
	at := Pos{Line: 1, Column: 1}
	for len(src) > 0 {
		r, size := utf8.DecodeRune(src)
		if r == utf8.RuneError && size == 1 {
			break
		}
		at.Column++
		if r == '\n' {
			at = Pos{Line: at.Line + 1, Column: 1}
		}
		src = src[size:]
	}
	return at
}

// sharpen moves a diagnostic from the begin of its item to the wrong word.
func sharpen(lines [][]lexer.Token, d Diagnostic) Pos {
	if d.word == "" {
		return d.Pos
	}
	for _, line := range lines {
		for _, token := range line {
			if token.Pos.Filename == d.Pos.File && token.Pos.Line == d.Pos.Line && token.Pos.Column >= d.Pos.Column && token.Value == d.word {
				return position(token.Pos)
			}
		}
	}
	return d.Pos
}
