package fault

import "baton/scenarios/capability"

// Drain has a node give no new flows to a backend.
const Drain = "drain"

// The keys of Drain.
const (
	KeyBackend  = "backend"
	KeyDeadline = "deadline"
)

var drain = Verb{
	Word: Drain, Doc: "what `baton backend drain` does on that node, for each service: the backend gets no new flows; connections that are open go on, past the deadline too, and datagrams until then",
	Receipt: "the node's answer, also where it refuses",
	Kinds:   nodes, From: []State{Running}, To: Running, Refuse: "cannot drain: it is %s",
	Needs: capability.Drain, Wants: true,
	Keys: []Key{
		{Name: KeyBackend, Of: Count, Low: 1, High: 64, Doc: "the number of the backend"},
		{Name: KeyDeadline, Of: Span, Needs: KeyBackend, Doc: "time to the deadline; 0s if left out"},
	},
}
