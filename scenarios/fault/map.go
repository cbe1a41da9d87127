package fault

import "baton/scenarios/capability"

// Map makes a node's calls on its connection table fail, or damages the table. Events makes its
// reading of flow events fail. Mend ends both, but not damage. Packets are still forwarded.
const (
	Map    = "map"
	Events = "events"
	Mend   = "mend"
)

var mapFails = Verb{
	Word: Map, On: Traits, Kinds: nodes, Process: true, Answers: true, Doc: "calls on the tables of the node's dataplane fail until its process ends; packets are still forwarded",
	Receipt: "such a call has failed; the entries are damaged",
	Undo:    Mend, Needs: capability.Breakable,
	Ways: []Way{
		{Name: "full", Doc: "the tables have no room for new entries (E2BIG), so replication cannot write them. To limit the flows that packets open, use `max_flows`"},
		{Name: "error", Doc: "writes of entries and of services fail (EIO)"},
		{Name: "unread", Doc: "the table can be neither read nor swept (EIO)"},
		{Name: "damaged", Doc: "once: a bit of the entry of one established flow flips, and the entry of another vanishes, without an event. The node finds and heals both ([sync.md](sync.md#scrubbing))", Once: true},
	},
}

var eventsFail = Verb{
	Word: Events, On: Traits, Kinds: nodes, Process: true, Answers: true, Doc: "flow events of the dataplane do not reach the node until its process ends",
	Receipt: "the counter of lost events has risen, or a reading has failed",
	Undo:    Mend, Needs: capability.Breakable,
	Ways: []Way{
		{Name: "lost", Doc: "the ring buffer is full: flow events are dropped and counted"},
		{Name: "unread", Doc: "flow events cannot be read (EIO)"},
	},
}

var mend = Verb{
	Word: Mend, On: Traits, Kinds: nodes, Process: true, Answers: true, Doc: "no call on the node's dataplane fails any more",
	Receipt: "the calls that had failed succeed",
}
