package fault

// Reorder delays some packets of a direction, so that later ones overtake them.
const Reorder = "reorder"

// KeyAfter is the key of Reorder.
const KeyAfter = "after"

var reorder = Verb{
	Word: Reorder, On: Wires, Share: true, Impairs: true, Doc: "SHARE of what FROM sends to TO is delayed, so that later packets overtake it",
	Receipt: "the wire that carries the frames is there",
	Undo:    Heal,
	Keys:    []Key{{Name: KeyAfter, Of: Span, Doc: "how long a packet is delayed (5ms)"}},
}
