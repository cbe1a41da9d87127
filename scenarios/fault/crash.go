package fault

// Crash is a power failure.
const Crash = "crash"

var crash = Verb{
	Word: Crash, Doc: "power failure: process gone, links down, tables and connections gone without a word",
	Receipt: "the process is gone, and the far end of each link has lost carrier",
	Kinds:   machines, From: []State{Running, Ended, Frozen}, To: Crashed, Refuse: "has crashed already",
	Undo: Restore, Takes: true,
}
