package lab

import (
	"slices"
	"strings"
)

// Selector names directions of links: from From to To, each a machine or a group, and back if
// Both, on the link Via or on every link that joins them.
type Selector struct {
	From, To string
	Both     bool
	Via      string
	Only     string // a kind of packets or the name of a service, "" for all packets
}

// Covers reports whether one of the rules has the direction of another, for all packets or for
// its kind.
func Covers(rules []Rule, r Rule) bool {
	whole := r
	whole.Only = ""
	return slices.Contains(rules, r) || slices.Contains(rules, whole)
}

// Between selects both directions between the load balancers on one link.
func Between(via string) Selector {
	return Selector{From: Nodes()[0], To: Nodes()[1], Both: true, Via: via}
}

// Directions splits a selector into selectors of single directions.
func (s Selector) Directions() []Selector {
	there := s
	there.Both = false
	if !s.Both {
		return []Selector{there}
	}
	back := there
	back.From, back.To = s.To, s.From
	return []Selector{there, back}
}

// String writes the selector as a scenario does.
func (s Selector) String() string {
	arrow := "->"
	if s.Both {
		arrow = "<->"
	}
	text := strings.TrimSpace(s.Only + " " + s.From + arrow + s.To)
	if s.Via != "" {
		text += " via " + s.Via
	}
	return text
}

// Selected lists the rules of all directions of a selector.
func (t Topo) Selected(s Selector) ([]Rule, error) {
	var rules []Rule
	for _, d := range s.Directions() {
		resolved, err := t.Resolve(d)
		if err != nil {
			return nil, err
		}
		rules = append(rules, resolved...)
	}
	return rules, nil
}
