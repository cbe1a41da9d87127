package fault

// Down sets the interface of a host on a link down.
const Down = "down"

var down = Verb{
	Word: Down, On: Ports, Kinds: machines, Severs: true, Doc: "set the interface down, of a client its switch port: both ends of the link lose carrier. A LINK alone is its switch or cable, with every port",
	Also:    []string{"unplug", "ifdown", "linkdown"},
	Receipt: "the far end has lost carrier",
	Undo:    Up,
}
