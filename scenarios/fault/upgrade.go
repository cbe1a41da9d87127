package fault

import "baton/scenarios/capability"

// Upgrade stops a node gracefully and starts it in another version.
const Upgrade = "upgrade"

// KeyVersion is the key of Upgrade.
const KeyVersion = "version"

// NewestProtocol is the newest version of the sync protocol that a node offers.
const NewestProtocol = 8

var upgrade = Verb{
	Word: Upgrade, Doc: "`stop`, then `restore` with another version: the program that `baton run --upgrade-to PATH` names, or the same program",
	Receipt: "the receipts of `stop` and `restore`, and the new process runs that program",
	Kinds:   nodes, From: []State{Running}, To: Running, Refuse: "cannot stop in order: it is %s",
	Needs: capability.Versions,
	Keys:  []Key{{Name: KeyVersion, Of: Count, Low: 1, High: NewestProtocol, Doc: "newest version of the sync protocol that the node offers from now on"}},
}
