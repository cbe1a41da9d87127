package check

import (
	"fmt"
	"strings"
)

// shown is how many examples a detail has.
const shown = 3

// examples keeps the first few examples for a detail and counts the rest. Only those that are
// kept are formatted: a run may have thousands.
type examples struct {
	first []string
	count int
}

func (x *examples) add(say func() string) {
	if x.count++; len(x.first) < shown {
		x.first = append(x.first, say())
	}
}

func (x *examples) String() string {
	return join(x.first, x.count-len(x.first))
}

// some joins the first details and counts the rest.
func some(details []string, most int) string {
	first := details[:min(len(details), most)]
	return join(first, len(details)-len(first))
}

func join(first []string, more int) string {
	text := strings.Join(first, "; ")
	if more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
