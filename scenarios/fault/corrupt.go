package fault

// Corrupt flips a bit in a share of the packets of a direction.
const Corrupt = "corrupt"

var corrupt = Verb{
	Word: Corrupt, On: Wires, Share: true, Impairs: true, Doc: "SHARE of what FROM sends to TO arrives with one bit flipped",
	Receipt: "the wire that carries the frames is there",
	Undo:    Heal,
}
