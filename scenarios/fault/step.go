package fault

// Step moves the clock of a node's host forward.
const Step = "step"

var step = Verb{
	Word: Step, Doc: "the monotonic clock of the host jumps forward by DURATION, as after the machine was suspended (simulator)",
	Receipt: "the clock shows it",
	Kinds:   nodes, From: []State{Running}, To: Running, Refuse: "is %s",
	Time: true,
}
