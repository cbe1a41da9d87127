package fault

// Thaw resumes a frozen daemon.
const Thaw = "thaw"

var thaw = Verb{
	Word: Thaw, Doc: "SIGCONT",
	Also:    []string{"resume", "unpause", "unfreeze", "continue", "sigcont"},
	Receipt: "no thread of the process is stopped",
	Kinds:   machines, From: []State{Frozen}, To: Running, Refuse: "is not frozen",
}
