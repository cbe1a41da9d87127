package fault

// Disk fills the disk of a node's log, Clear frees it.
const (
	Disk  = "disk"
	Clear = "clear"
)

var disk = Verb{
	Word: Disk, On: Traits, Kinds: nodes, Doc: "the disk of the node's log is full (namespaces)",
	Receipt: "a write to it fails with ENOSPC",
	Undo:    Clear,
	Ways:    []Way{{Name: "full", Doc: "all of its 1 MiB is used (ENOSPC)"}},
}

var clearDisk = Verb{
	Word: Clear, On: Traits, Kinds: nodes, Doc: "the node's disk has space again (namespaces)",
	Receipt: "a write to it succeeds",
}
