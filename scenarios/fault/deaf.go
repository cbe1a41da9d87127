package fault

import "baton/scenarios/lab"

// Deaf makes a neighbour table ignore announcements, Hears undoes it.
const (
	Deaf  = "deaf"
	Hears = "hears"
)

var listeners = []lab.Kind{lab.Client, lab.Backend}

var deaf = Verb{
	Word: Deaf, On: Traits, Kinds: listeners, Doc: "the machine's neighbour table ignores gratuitous ARP and unsolicited neighbour advertisements: it learns by its own requests alone",
	Receipt: "the kernel's setting reads so",
	Undo:    Hears,
}

var hears = Verb{
	Word: Hears, On: Traits, Kinds: listeners, Doc: "announcements are believed again",
	Receipt: "the kernel's setting reads so",
}
