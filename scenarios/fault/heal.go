package fault

// Heal undoes the faults of links.
const Heal = "heal"

var heal = Verb{
	Word: Heal, On: Wires, All: true, Doc: "undo the faults of links: of that direction and link, or of all",
	Receipt: "the faults are gone, and how much each had dropped",
	Resyncs: true,
}
