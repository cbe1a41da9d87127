package fault

// Crash is a power failure.
const Crash = "crash"

var crash = Verb{
	Word: Crash, Doc: "power failure: the process ends, the links go down, and tables and connections are lost without a FIN or a RST",
	Also:    []string{"reboot", "poweroff", "fail", "die"},
	Receipt: "the process is gone, and the far end of each link has lost carrier",
	Kinds:   machines, From: []State{Running, Ended, Frozen}, To: Crashed, Refuse: "has crashed already",
	Undo: Restore, Takes: true,
}
