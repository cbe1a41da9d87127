package fault

// Lose drops a share of what one machine sends to another.
const Lose = "lose"

var lose = Verb{
	Word: Lose, On: Wires, Share: true, Doc: "drop SHARE (`5%`, `0.05`) of what FROM sends to TO, each packet for itself, by the run's seed",
	Receipt: "the program that draws is attached in each direction",
	Undo:    Heal,
}
