package fault

// Freeze stops the daemon between two instructions.
const Freeze = "freeze"

var freeze = Verb{
	Word: Freeze, Doc: "SIGSTOP: the kernel goes on to acknowledge, nobody answers",
	Receipt: "every thread of the process is stopped",
	Kinds:   machines, From: []State{Running}, To: Frozen, Refuse: "is %s already",
	Undo: Thaw, Takes: true,
}
