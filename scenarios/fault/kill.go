package fault

// Kill ends only the process.
const Kill = "kill"

var kill = Verb{
	Word: Kill, Doc: "SIGKILL of the daemon alone, of a backend's servers or of a client's traffic; links and kernel stay up",
	Also:    []string{"sigkill", "pkill", "killall"},
	Receipt: "the process is gone",
	Kinds:   machines, From: []State{Running, Frozen}, To: Ended, Refuse: "is down already",
	Undo: Restore, Takes: true,
}
