package fault

import "slices"

// Quantity is the type of a key's value.
type Quantity uint8

const (
	Span     Quantity = iota // 20ms
	Share                    // 80%, 0.8
	Count                    // 8
	LineRate                 // 10mbit, or 30/s of packets
	Choice                   // one of Choices
)

// Key is a setting of a verb, KEY=VALUE. A key that is left out has no effect.
type Key struct {
	Name      string
	Of        Quantity
	Low, High int // of a Count
	Choices   []string
	Needs     string // the key without which it has no effect, "" for none
	Provided  string // the capability that it requires of the subject, "" for none
	Doc       string // for the reference
}

// Key finds a key of the verb by its name.
func (v Verb) Key(name string) (Key, bool) {
	i := slices.IndexFunc(v.Keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return v.Keys[i], true
}

// KeyNames lists the names of the verb's keys.
func (v Verb) KeyNames() []string {
	names := make([]string, len(v.Keys))
	for i, k := range v.Keys {
		names[i] = k.Name
	}
	return names
}
