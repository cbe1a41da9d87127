package mutants

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrStale is the error of a mutant that no longer applies because the code has changed. No
// test is known to find its bug until the mutant is updated.
var ErrStale = errors.New("mutant no longer applies")

// Apply returns the changed text of the files that the mutant edits, by path from the
// module's root. It returns ErrStale if a file is missing or does not contain the old
// text exactly once.
func (m Mutant) Apply(root string) (map[string]string, error) {
	changed := map[string]string{}
	for _, e := range m.Edits {
		text, ok := changed[e.File]
		if !ok {
			content, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return nil, fmt.Errorf("mutants: apply %s: %w: %w", m.Name, ErrStale, err)
			}
			text = string(content)
		}
		places := placesOf(text, e.Old)
		if len(places) != 1 {
			return nil, fmt.Errorf("mutants: apply %s: %w: %s holds the old text %d times, not once:\n%s",
				m.Name, ErrStale, e.File, len(places), e.Old)
		}
		at := places[0]
		changed[e.File] = text[:at] + e.New + text[at+len(e.Old):]
	}
	return changed, nil
}

// placesOf returns the offsets at which whole lines occur in a text.
func placesOf(text, lines string) []int {
	var places []int
	at := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(text[at:], lines) {
			places = append(places, at)
		}
		at += len(line)
	}
	return places
}
