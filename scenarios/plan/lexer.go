package plan

import (
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"baton/scenarios/fault"
)

// definition splits a file into tokens. It never fails: text that matches no rule is a token
// Other, and the grammar reports its position. Each line begins in the state Root; "scenario",
// "doc" and "include" are followed by prose, everything else by words.
//
// A Number is any word that begins with a digit (50mss, 100/s, 198.18.0.100), so that a wrong
// unit is reported as one token.
var definition = lexer.MustStateful(lexer.Rules{
	"Root": {
		{Name: "EOL", Pattern: `\n`},
		{Name: "Doc", Pattern: `doc[ \t]`, Action: lexer.Push("Prose")},
		{Name: "Scenario", Pattern: `scenario[ \t]`, Action: lexer.Push("Prose")},
		{Name: "Include", Pattern: `include[ \t]`, Action: lexer.Push("Prose")},
		lexer.Include("Anywhere"),
		{Name: "Fault", Pattern: `(?:` + strings.Join(fault.Words(), "|") + `)\b`, Action: lexer.Push("Words")},
		{Name: "Word", Pattern: name, Action: lexer.Push("Words")},
		{Name: "Other", Pattern: other, Action: lexer.Push("Words")},
	},
	"Prose": {
		{Name: "EOL", Pattern: `\n`, Action: lexer.Pop()},
		{Name: "Space", Pattern: `[ \t\r]+`},
		{Name: "Text", Pattern: `[^\n]+`},
	},
	"Words": {
		{Name: "EOL", Pattern: `\n`, Action: lexer.Pop()},
		{Name: "Quoted", Pattern: `"[^"\n]*"`},
		{Name: "Arrow", Pattern: `<->|->`},
		{Name: "Op", Pattern: `<=|>=|==|!=|<|>|=`},
		lexer.Include("Anywhere"),
		{Name: "Word", Pattern: name},
		{Name: "Other", Pattern: other},
	},
	"Anywhere": {
		{Name: "Space", Pattern: `[ \t\r]+`},
		{Name: "Comment", Pattern: `#[^\n]*`},
		{Name: "Guard", Pattern: `\[[^\]\n]*\]`},
		{Name: "Number", Pattern: number},
		{Name: "Var", Pattern: `\$[A-Za-z_][A-Za-z0-9_]*`},
		{Name: "Punct", Pattern: `[@;:,()+*{}-]`},
	},
})

const (
	number = `[0-9][0-9A-Za-z_.%µμ]*(?:/[A-Za-z]+)?`
	name   = `[A-Za-z_][A-Za-z0-9_]*(?:[-.][A-Za-z0-9_]+)*`
	other  = `[^ \t\r\n]`
)

var (
	symbols      = definition.Symbols()
	tokenEOL     = symbols["EOL"]
	tokenSpace   = symbols["Space"]
	tokenComment = symbols["Comment"]
	tokenWord    = symbols["Word"]
	tokenFault   = symbols["Fault"]
)

// split returns the tokens of each line that is not empty, without spaces and comments.
func split(name, src string) ([][]lexer.Token, error) {
	lex, err := definition.LexString(name, src)
	if err != nil {
		return nil, err
	}
	var lines [][]lexer.Token
	var line []lexer.Token
	for {
		token, err := lex.Next()
		if err != nil {
			return lines, err
		}
		switch token.Type {
		case tokenSpace, tokenComment:
			continue
		case tokenEOL, lexer.EOF:
			if len(line) > 0 {
				end := line[len(line)-1].Pos
				end.Advance(line[len(line)-1].Value)
				lines = append(lines, append(line, lexer.EOFToken(end)))
				line = nil
			}
			if token.EOF() {
				return lines, nil
			}
		default:
			line = append(line, token)
		}
	}
}

// replay is a lexer.Lexer over the tokens of one line; the last is EOF.
type replay struct{ tokens []lexer.Token }

func (r *replay) Next() (lexer.Token, error) {
	token := r.tokens[0]
	if len(r.tokens) > 1 {
		r.tokens = r.tokens[1:]
	}
	return token, nil
}
