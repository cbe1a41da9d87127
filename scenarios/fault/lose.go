package fault

// Lose drops a share of what one host sends to another.
const Lose = "lose"

// Keys of Lose.
const (
	KeyBurst = "burst"
	KeyBad   = "bad"
	KeyGood  = "good"
)

var lose = Verb{
	Word: Lose, On: Wires, Share: true, Doc: "drop SHARE (`5%`, `0.05`) of what FROM sends to TO; the run's seed draws each packet independently",
	Also:    []string{"drop", "loss", "netem"},
	Receipt: "the program that draws is attached in each direction; for bursts, the wire is there",
	Undo:    Heal,
	Keys: []Key{
		{Name: KeyBurst, Of: Count, Low: 2, High: 10_000, Doc: "average length of a burst of losses, in packets (Gilbert and Elliott, `r` = 1/`burst`). SHARE is still the share of all packets"},
		{Name: KeyBad, Of: Share, Needs: KeyBurst, Doc: "share of the packets within bursts that are lost (100%); more than SHARE"},
		{Name: KeyGood, Of: Share, Needs: KeyBurst, Doc: "share of the packets outside of bursts that are lost (0%); less than SHARE. From these four follows `p` = `r` (SHARE − `good`) / (`bad` − SHARE)"},
	},
}
