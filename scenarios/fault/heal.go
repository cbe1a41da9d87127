package fault

// Heal takes cuts back.
const Heal = "heal"

var heal = Verb{
	Word: Heal, On: Wires, All: true, Doc: "undo cuts: those of that direction and link, or all",
	Receipt: "the cuts are gone",
	Resyncs: true,
}
