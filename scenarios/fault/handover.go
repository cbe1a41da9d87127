package fault

import "baton/scenarios/capability"

// Handover requests a handover from a node.
const Handover = "handover"

var handover = Verb{
	Word: Handover, Doc: "ask that node for a handover, as `baton handover` does",
	Also:    []string{"failover", "switchover", "demote", "promote"},
	Names:   "the node that gives up the role, and its peer takes it",
	Receipt: "the node's answer, also if it refuses",
	Kinds:   nodes, From: []State{Running}, To: Running, Refuse: "cannot hand over: it is %s",
	Asks: true, Needs: capability.Handover,
}
