package fault

// Reorder is what scenarios/link makes of a direction.
const Reorder = "reorder"

var reorder = Verb{
	Word: Reorder, On: Wires, Share: true, Impairs: true, Doc: "SHARE of what FROM sends to TO is held back for 5 ms, so that others overtake it",
	Receipt: "the wire through which the frames are led is there",
	Undo:    Heal,
}
