package fault

// Cut drops what one machine sends to another.
const Cut = "cut"

var cut = Verb{
	Word: Cut, On: Wires, Severs: true, Doc: "drop what FROM sends to TO, on that link or on all that join them; `<->` cuts both directions",
	Receipt: "a frame was dropped in each direction; where a link is down, the program that drops is attached",
	Undo:    Heal,
}
