package fault

// Reorder is what scenarios/link makes of a direction.
const Reorder = "reorder"

// KeyAfter is the key of Reorder.
const KeyAfter = "after"

var reorder = Verb{
	Word: Reorder, On: Wires, Share: true, Impairs: true, Doc: "SHARE of what FROM sends to TO is held back for a while, so that others overtake it",
	Receipt: "the wire through which the frames are led is there",
	Undo:    Heal,
	Keys:    []Key{{Name: KeyAfter, Of: Span, Doc: "for how long a packet is held back (5ms)"}},
}
