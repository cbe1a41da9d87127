package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/participle/v2/lexer"
)

// sum turns a parsed sum into an Expr, false after an error.
func (b *builder) sum(s *sum) (Expr, bool) {
	before := len(b.found)
	terms := b.product(s.First, 1)
	for _, a := range s.Rest {
		sign := 1.0
		if a.Op == "-" {
			sign = -1
		}
		terms = append(terms, b.product(a.Term, sign)...)
	}
	if len(b.found) > before {
		return Expr{}, false
	}
	times := 0
	for _, t := range terms {
		if t.Name != "" || t.Unit != 0 {
			times++
		}
	}
	if times != 0 && times != len(terms) {
		b.errorf(position(s.Pos), "", "%s mixes times and plain numbers", Expr{terms})
		return Expr{}, false
	}
	return Expr{terms}, true
}

// product multiplies factors. A factor such as detect-10ms is two terms, so it multiplies the
// last term on the left by the first on the right.
func (b *builder) product(p *product, sign float64) []Term {
	terms := b.factor(p.Factors[0], sign)
	for _, f := range p.Factors[1:] {
		right := b.factor(f, 1)
		if len(terms) == 0 || len(right) == 0 {
			return nil // reported
		}
		last := len(terms) - 1
		product, ok := multiply(terms[last], right[0])
		if !ok {
			b.errorf(position(f.Pos), "", "%s times %s is not a time", terms[last].text(), right[0].text())
			return nil
		}
		terms = append(append(terms[:last:last], product), right[1:]...)
	}
	return terms
}

// multiply returns false for two times.
func multiply(a, b Term) (Term, bool) {
	if b.Name == "" && b.Unit == 0 {
		a, b = b, a
	}
	if a.Name != "" || a.Unit != 0 {
		return Term{}, false
	}
	b.Factor *= a.Factor
	return b.whole(), true
}

// factor reads a number, a duration or a name. Words may contain hyphens, so the lexer reads
// detect-10ms as one word; here it is a difference.
func (b *builder) factor(f *factor, sign float64) []Term {
	var terms []Term
	at := f.Pos
	for i, part := range strings.Split(f.Text, "-") {
		if i > 0 {
			sign = -1
		}
		if t, ok := b.term(part, at); ok {
			t.Factor *= sign
			terms = append(terms, t)
		}
		at.Column += len(part) + 1
	}
	return terms
}

func (b *builder) term(text string, at lexer.Position) (Term, bool) {
	if slices.Contains(exprNames, text) {
		return Term{Factor: 1, Name: text}, true
	}
	if text == "" || text[0] < '0' || text[0] > '9' {
		b.errorf(position(at), Nearest(text, exprNames), "unknown value %q", text)
		return Term{}, false
	}
	if last := text[len(text)-1]; last >= '0' && last <= '9' || last == 'k' || last == 'M' {
		n, err := parseNumber(text)
		if err != nil {
			b.refuse(at, "", err)
			return Term{}, false
		}
		return Term{Factor: n}, true
	}
	d, err := parseDuration(text)
	if err != nil {
		b.refuse(at, "", err)
		return Term{}, false
	}
	return durationTerm(d), true
}

// whole returns the term with the largest unit in which its factor is an integer.
func (t Term) whole() Term {
	if t.Unit == 0 {
		return t
	}
	sign := 1.0
	if t.Factor < 0 {
		sign = -1
	}
	w := durationTerm(time.Duration(sign * t.Factor * float64(t.Unit)))
	w.Factor *= sign
	return w
}
