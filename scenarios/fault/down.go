package fault

// Down takes the carrier of one link of a machine away.
const Down = "down"

var down = Verb{
	Word: Down, On: Ports, Kinds: machines, Severs: true, Doc: "set the interface down, of a client its switch port: both ends of the link lose carrier. A LINK alone is its switch or cable, with every port",
	Receipt: "the far end has lost carrier",
	Undo:    Up,
}
