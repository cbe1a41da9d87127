package fault

// Kill ends the daemon alone.
const Kill = "kill"

var kill = Verb{
	Word: Kill, Doc: "SIGKILL of the daemon alone: links, programs and tables stay",
	Receipt: "the process is gone",
	From:    []State{Up, Frozen}, To: Down, Refuse: "is down already",
	Undo: Restore, Takes: true,
}
