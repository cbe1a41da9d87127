package fault

// Step moves the clock of a node's host forward.
const Step = "step"

var step = Verb{
	Word: Step, Doc: "the monotonic clock of the host jumps forward by DURATION, as after a suspension of the machine (simulator)",
	Receipt: "the clock reads so",
	Kinds:   nodes, From: []State{Running}, To: Running, Refuse: "is %s",
	Time: true,
}
