package fault

// Disk fills the disk that a node writes to, Clear makes room on it again.
const (
	Disk  = "disk"
	Clear = "clear"
)

var disk = Verb{
	Word: Disk, On: Traits, Kinds: nodes, Doc: "the disk on which the node has its log is full (namespaces)",
	Receipt: "a write to it fails for want of space",
	Undo:    Clear,
	Ways:    []Way{{"full", "of the 1 MiB that it has, all is taken (ENOSPC)"}},
}

var clearDisk = Verb{
	Word: Clear, On: Traits, Kinds: nodes, Doc: "there is room on the node's disk again (namespaces)",
	Receipt: "a write to it succeeds",
}
