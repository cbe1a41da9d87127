package fault

// Stop ends the daemon gracefully.
const Stop = "stop"

var stop = Verb{
	Word: Stop, Doc: "SIGTERM: a MASTER hands over first, a backend's servers close their connections, a client's traffic closes its connections",
	Also:    []string{"shutdown", "terminate"},
	Receipt: "the process has ended by itself",
	Kinds:   machines, From: []State{Running}, To: Ended, Refuse: "cannot stop in order: it is %s",
	Undo: Restore, Asks: true,
}
