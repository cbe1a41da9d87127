package fault

// Crash is a power failure.
const Crash = "crash"

var crash = Verb{
	Word: Crash, Doc: "process killed, links down, tables gone",
	Receipt: "the process is gone, and the far end of each link has lost carrier",
	From:    []State{Up, Down, Frozen}, To: Crashed, Refuse: "has crashed already",
	Undo: Restore, Takes: true,
}
