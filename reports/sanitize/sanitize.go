// Package sanitize makes texts from outside safe to show. Traces come from other machines, and a
// report is read in terminals, browsers and pull requests.
package sanitize

import (
	"strings"
	"unicode"
)

// Terminal makes a text safe for a terminal. Control and formatting characters, which can move the
// cursor, change colours or reverse the writing direction, become "�"; line ends and tabs become
// spaces.
func Terminal(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Code formats a text as a Markdown code span, also inside a table. Nothing in it is interpreted as
// markup, HTML, a link or a mention.
func Code(text string) string {
	text = strings.NewReplacer("`", "'", "|", `\|`).Replace(Terminal(text))
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return "`" + text + "`"
}
