package fault

// Delay delays the packets of a direction.
const Delay = "delay"

// KeyJitter is the key of Delay.
const KeyJitter = "jitter"

var delay = Verb{
	Word: Delay, On: Wires, Time: true, Impairs: true, Doc: "what FROM sends to TO arrives DURATION later",
	Also:    []string{"latency", "lag"},
	Receipt: "the wire that carries the frames is there",
	Undo:    Heal,
	Keys:    []Key{{Name: KeyJitter, Of: Span, Doc: "by how much the delay varies in both directions; at most DURATION"}},
}
