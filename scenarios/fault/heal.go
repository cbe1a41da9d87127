package fault

// Heal takes cuts back.
const Heal = "heal"

var heal = Verb{
	Word: Heal, On: Wires, All: true, Doc: "undo all that was done to links: those of that direction and link, or all",
	Receipt: "they are gone, and how much each had dropped",
	Resyncs: true,
}
