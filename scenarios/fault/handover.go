package fault

import "baton/scenarios/capability"

// Handover asks a node to give the role away.
const Handover = "handover"

var handover = Verb{
	Word: Handover, Doc: "what `baton handover` does on that node",
	Receipt: "the node's answer, also where it refuses",
	Kinds:   nodes, From: []State{Running}, To: Running, Refuse: "cannot hand over: it is %s",
	Asks: true, Needs: capability.Handover,
}
