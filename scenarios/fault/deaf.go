package fault

import "baton/scenarios/lab"

// Deaf makes an ARP cache ignore gratuitous ARP, Hears undoes it.
const (
	Deaf  = "deaf"
	Hears = "hears"
)

var listeners = []lab.Kind{lab.Client, lab.Backend}

var deaf = Verb{
	Word: Deaf, On: Traits, Kinds: listeners, Doc: "the machine's ARP cache ignores gratuitous ARP: it learns by its own requests alone",
	Receipt: "the kernel's setting reads so",
	Undo:    Hears,
}

var hears = Verb{
	Word: Hears, On: Traits, Kinds: listeners, Doc: "gratuitous ARP is believed again",
	Receipt: "the kernel's setting reads so",
}
