package fault

// Heal takes cuts back.
const Heal = "heal"

var heal = Verb{
	Word: Heal, On: Wires, All: true, Doc: "undo cuts and losses: those of that direction and link, or all",
	Receipt: "they are gone, and how much each had dropped",
	Resyncs: true,
}
