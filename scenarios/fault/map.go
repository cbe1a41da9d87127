package fault

import "baton/scenarios/capability"

// Map has what a node asks of its connection table fail, Events its reading of flow
// events, and Mend ends both. Packets are forwarded as before.
const (
	Map    = "map"
	Events = "events"
	Mend   = "mend"
)

var mapFails = Verb{
	Word: Map, On: Traits, Kinds: nodes, Process: true, Answers: true, Doc: "calls on the tables of the node's dataplane fail, until its process ends; packets go on as before",
	Receipt: "such a call of the node has failed",
	Undo:    Mend, Needs: capability.Breakable,
	Ways: []Way{
		{"full", "new entries find no room (E2BIG): replication cannot write them; `max_flows` is for the flows that packets open"},
		{"error", "no write takes hold (EIO), neither of entries nor of services"},
		{"unread", "it can be neither read nor swept (EIO)"},
	},
}

var eventsFail = Verb{
	Word: Events, On: Traits, Kinds: nodes, Process: true, Answers: true, Doc: "what packets change does not reach the node, until its process ends",
	Receipt: "the counter of lost events has risen, or a reading has failed",
	Undo:    Mend, Needs: capability.Breakable,
	Ways: []Way{
		{"lost", "the ring buffer is full: flow events are dropped, and counted"},
		{"unread", "flow events cannot be read (EIO)"},
	},
}

var mend = Verb{
	Word: Mend, On: Traits, Kinds: nodes, Process: true, Answers: true, Doc: "the node's dataplane does again all that it is asked for",
	Receipt: "the calls that had failed succeed",
}
