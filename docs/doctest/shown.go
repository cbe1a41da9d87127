package doctest

import (
	"regexp"
	"strings"
)

// A step is one command of a block and the output shown below it.
type step struct {
	command string
	shown   string
	silent  bool // the block shows no outputs
}

// steps splits a block into its commands. In a console block each begins with "$ " and
// may continue after a backslash; an sh block is one script.
func (b Block) steps() []step {
	if b.Language == "sh" {
		return []step{{command: b.Text, silent: true}}
	}
	var all []step
	more := false
	for line := range strings.Lines(b.Text) {
		command, begins := strings.CutPrefix(line, "$ ")
		switch {
		case begins:
			all = append(all, step{command: command})
		case len(all) == 0:
			continue
		case more:
			all[len(all)-1].command += line
			command = line
		default:
			all[len(all)-1].shown += line
			continue
		}
		more = strings.HasSuffix(command, "\\\n")
	}
	return all
}

// elision, as a line, matches any number of lines; at the end of a line it matches any
// rest.
const elision = "…"

// figure matches a number with its unit, the digits of a digest, or the dash of a missing
// measurement. It does not match the number in a name, such as lb1.
var figure = regexp.MustCompile(`\b[0-9a-f]{16}\b|\+?\b\d(?:[\d.,]*\d)?(?:(?:ns|µs|ms|s|m|h)[\d.]*)*|–`)

var blanks = regexp.MustCompile(`[ \t]+`)

// masked returns a line without its variable parts: figures and column widths.
func masked(line string) string {
	return strings.TrimSpace(blanks.ReplaceAllString(figure.ReplaceAllString(line, "#"), " "))
}

// agrees reports whether an output equals the shown one.
func (b Block) agrees(shown, printed string) bool {
	plain := strings.TrimRight
	if b.Figures {
		plain = func(line, _ string) string { return masked(line) }
	}
	lines := func(text string) (all []string) {
		for line := range strings.Lines(text) {
			all = append(all, plain(line, " \t\n"))
		}
		return all
	}
	return matches(lines(shown), lines(printed))
}

// matches reports whether the printed lines equal the shown ones; an elision matches any
// number of lines.
func matches(shown, printed []string) bool {
	for i, line := range shown {
		if line == elision {
			for skipped := range len(printed) - i + 1 {
				if matches(shown[i+1:], printed[i+skipped:]) {
					return true
				}
			}
			return false
		}
		if i >= len(printed) || !matchesLine(line, printed[i]) {
			return false
		}
	}
	return len(shown) == len(printed)
}

func matchesLine(shown, printed string) bool {
	if beginning, cut := strings.CutSuffix(shown, elision); cut {
		return strings.HasPrefix(printed, strings.TrimRight(beginning, " "))
	}
	return shown == printed
}
