package fault

// Cut drops what one machine sends to another.
const Cut = "cut"

var cut = Verb{
	Word: Cut, On: Wires, Doc: "drop what FROM sends to TO, on that link or on all that join them; `<->` cuts both directions",
	Receipt: "frames were dropped in each direction",
	Undo:    Heal,
}
