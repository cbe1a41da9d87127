package fault

// Lose drops a share of what one machine sends to another.
const Lose = "lose"

// Keys of Lose.
const (
	KeyBurst = "burst"
	KeyBad   = "bad"
	KeyGood  = "good"
)

var lose = Verb{
	Word: Lose, On: Wires, Share: true, Doc: "drop SHARE (`5%`, `0.05`) of what FROM sends to TO, each packet for itself, by the run's seed",
	Receipt: "the program that draws is attached in each direction, of bursts the wire",
	Undo:    Heal,
	Keys: []Key{
		{Name: KeyBurst, Of: Count, Low: 2, High: 10_000, Doc: "losses come in bursts of so many packets on average (Gilbert and Elliott, `r` = 1/`burst`); SHARE is that of all packets"},
		{Name: KeyBad, Of: Share, Needs: KeyBurst, Doc: "share of the packets of a burst that are lost (100%); more than SHARE"},
		{Name: KeyGood, Of: Share, Needs: KeyBurst, Doc: "share of the packets outside of bursts that are lost (0%); less than SHARE. The four say `p` = `r` (SHARE − `good`) / (`bad` − SHARE)"},
	},
}
