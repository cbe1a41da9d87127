package fault

import "baton/scenarios/lab"

// Deaf makes a neighbour table ignore announcements, Hears undoes it.
const (
	Deaf  = "deaf"
	Hears = "hears"
)

var listeners = []lab.Kind{lab.Client, lab.Backend}

var deaf = Verb{
	Word: Deaf, On: Traits, Kinds: listeners, Doc: "the machine's neighbour table ignores gratuitous ARP and unsolicited neighbour advertisements, and learns only from replies to its own requests",
	Receipt: "the kernel's setting shows it",
	Undo:    Hears,
}

var hears = Verb{
	Word: Hears, On: Traits, Kinds: listeners, Doc: "the neighbour table accepts announcements again",
	Receipt: "the kernel's setting shows it",
}
