package fault

// Freeze stops the process by SIGSTOP.
const Freeze = "freeze"

var freeze = Verb{
	Word: Freeze, Doc: "SIGSTOP: the kernel still acknowledges, the process does not answer",
	Also:    []string{"pause", "suspend", "hang", "sigstop"},
	Receipt: "every thread of the process is stopped",
	Kinds:   machines, From: []State{Running}, To: Frozen, Refuse: "is %s already",
	Undo: Thaw, Takes: true,
}
