package fault

// Down takes the carrier of one link of a machine away.
const Down = "down"

var down = Verb{
	Word: Down, On: Ports, Kinds: servers, Severs: true, Doc: "interface set down: both ends of the link lose carrier; of a LINK alone, its switch or cable: every port on it",
	Receipt: "the far end has lost carrier",
	Undo:    Up,
}
