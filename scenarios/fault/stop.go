package fault

// Stop ends the daemon in order.
const Stop = "stop"

var stop = Verb{
	Word: Stop, Doc: "SIGTERM: a MASTER hands over first",
	Receipt: "the process has ended by itself",
	From:    []State{Up}, To: Down, Refuse: "cannot stop in order: it is %s",
	Undo: Restore, Asks: true,
}
