package check

import (
	"fmt"
	"strings"
)

// shown is how many examples a detail names.
const shown = 3

// examples are the first of many things that a detail is about, in words, and how
// many there were. The rest is never put into words: a run may have thousands.
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

// some joins details, of many the first.
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
