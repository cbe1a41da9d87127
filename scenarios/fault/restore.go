package fault

// Restore brings back what was crashed, killed or stopped.
const Restore = "restore"

var restore = Verb{
	Word: Restore, Doc: "links up, process started anew",
	Receipt: "the links carry, and a process was started",
	Kinds:   servers, From: []State{Ended, Crashed}, To: Running, Refuse: "is not down",
	Resyncs: true,
}
