package fault

import "slices"

// Way is a variant of a verb: map full, map error.
type Way struct {
	Name string
	Doc  string // for the reference
	Once bool   // it has no lasting effect that an undo could end
}

// Once reports whether a way of the verb has no lasting effect.
func (v Verb) Once(way string) bool {
	return slices.ContainsFunc(v.Ways, func(w Way) bool { return w.Name == way && w.Once })
}

// WayNames lists the names of the verb's ways.
func (v Verb) WayNames() []string {
	names := make([]string, len(v.Ways))
	for i, w := range v.Ways {
		names[i] = w.Name
	}
	return names
}

// HasWay reports whether a word is one of the verb's ways.
func (v Verb) HasWay(word string) bool { return slices.Contains(v.WayNames(), word) }
