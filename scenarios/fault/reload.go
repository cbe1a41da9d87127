package fault

import "baton/scenarios/capability"

// Reload asks a node to read its configuration again.
const Reload = "reload"

var reload = Verb{
	Word: Reload, Doc: "the node reads its configuration again, which has not changed",
	Receipt: "the node's answer",
	Kinds:   nodes, From: []State{Running}, To: Running, Refuse: "cannot reload: it is %s",
	Needs: capability.Reload,
}
