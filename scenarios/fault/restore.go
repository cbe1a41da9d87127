package fault

// Restore brings back what was crashed, killed or stopped.
const Restore = "restore"

var restore = Verb{
	Word: Restore, Doc: "links up, process started again; a client's traffic starts again",
	Also:    []string{"start", "boot", "recover"},
	Receipt: "the links have carrier, and a process was started, servers listen or lines of traffic began",
	Kinds:   machines, From: []State{Ended, Crashed}, To: Running, Refuse: "is not down",
	Resyncs: true,
}
