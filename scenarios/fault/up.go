package fault

// Up gives the carrier back.
const Up = "up"

var up = Verb{
	Word: Up, On: Ports, Kinds: machines, Doc: "set the interface, switch or cable up again",
	Also:    []string{"plug", "ifup", "linkup"},
	Receipt: "the far end has carrier, and both ends are operational",
	Resyncs: true,
}
