package fault

import "baton/scenarios/capability"

// Reload makes a node read its configuration again.
const Reload = "reload"

// KeyBackends is the key of Reload.
const KeyBackends = "backends"

var reload = Verb{
	Word: Reload, Doc: "the node reads its configuration again; only what KEY says has changed in it",
	Receipt: "the node's answer",
	Kinds:   nodes, From: []State{Running}, To: Running, Refuse: "cannot reload: it is %s",
	Needs: capability.Reload,
	Keys: []Key{{Name: KeyBackends, Of: Count, Low: 1, High: 64, Provided: capability.Services,
		Doc: "from now on each service has only its first N backends"}},
}
