package fault

// Flap repeats Down and Up.
const Flap = "flap"

var flap = Verb{
	Word: Flap, On: Ports, Kinds: machines, As: Down, Doc: "`down` every DURATION, `up` half of DURATION later, until the time after `for` is over",
	Receipt: "the receipts of `down` and `up`",
	Undo:    Up,
}
