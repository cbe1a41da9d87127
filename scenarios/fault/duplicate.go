package fault

// Duplicate delivers a share of the packets of a direction twice.
const Duplicate = "duplicate"

var duplicate = Verb{
	Word: Duplicate, On: Wires, Share: true, Impairs: true, Doc: "SHARE of what FROM sends to TO arrives twice",
	Receipt: "the wire that carries the frames is there",
	Undo:    Heal,
}
