package fault

// Freeze stops the daemon between two instructions.
const Freeze = "freeze"

var freeze = Verb{
	Word: Freeze, Doc: "SIGSTOP",
	Receipt: "every thread of the process is stopped",
	From:    []State{Up}, To: Frozen, Refuse: "is %s already",
	Undo: Thaw, Takes: true,
}
