package fault

import "baton/scenarios/capability"

// Drain makes a node send no new flows to a backend.
const Drain = "drain"

// The keys of Drain.
const (
	KeyBackend  = "backend"
	KeyDeadline = "deadline"
)

var drain = Verb{
	Word: Drain, Doc: "execute `baton backend drain` on that node, for each service: the backend gets no new flows. Open connections continue, also past the deadline; UDP flows continue until the deadline",
	Receipt: "the node's answer, also if it refuses",
	Kinds:   nodes, From: []State{Running}, To: Running, Refuse: "cannot drain: it is %s",
	Needs: capability.Drain, Wants: true,
	Keys: []Key{
		{Name: KeyBackend, Of: Count, Low: 1, High: 64, Doc: "the number of the backend"},
		{Name: KeyDeadline, Of: Span, Needs: KeyBackend, Doc: "time to the deadline; 0s if left out"},
	},
}
