// Package sanitize makes texts from outside harmless where they are shown: traces come
// from other machines, and a report is read in terminals, browsers and pull requests.
package sanitize

import (
	"strings"
	"unicode"
)

// Terminal makes a text from a trace harmless to a terminal: control and formatting
// characters, which can move the cursor, change colours or turn the direction of
// writing, become "�", and line ends spaces.
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

// Code is a text as a code span of Markdown, in a table too: nothing in it is markup,
// HTML, a link or a mention.
func Code(text string) string {
	text = strings.NewReplacer("`", "'", "|", `\|`).Replace(Terminal(text))
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return "`" + text + "`"
}
