package fault

// Delay is what scenarios/link makes of a direction.
const Delay = "delay"

var delay = Verb{
	Word: Delay, On: Wires, Time: true, Impairs: true, Doc: "what FROM sends to TO arrives DURATION later",
	Receipt: "the wire through which the frames are led is there",
	Undo:    Heal,
}
