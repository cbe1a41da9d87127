package fault

// Cut drops what one host sends to another.
const Cut = "cut"

var cut = Verb{
	Word: Cut, On: Wires, Severs: true, Doc: "drop what FROM sends to TO, on that link or on all links between them; `<->` cuts both directions",
	Also:    []string{"partition", "isolate", "disconnect", "block", "split", "drop", "blackhole"},
	Receipt: "a frame was dropped in each direction; if a link is down, the program that drops is attached",
	Undo:    Heal,
}
