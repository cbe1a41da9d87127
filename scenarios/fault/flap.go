package fault

// Flap takes a carrier away and gives it back, again and again.
const Flap = "flap"

var flap = Verb{
	Word: Flap, On: Ports, Kinds: servers, As: Down, Doc: "`down` at each DURATION, `up` half of it later, `for` as long as is said",
	Receipt: "those of `down` and `up`",
	Undo:    Up,
}
