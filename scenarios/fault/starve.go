package fault

// Starve withholds resources from the process of a node, Feed gives them back. They hold
// for as long as the process lives.
const (
	Starve = "starve"
	Feed   = "feed"
)

// Keys of Starve.
const (
	KeyCPU    = "cpu"
	KeyPeriod = "period"
	KeyFiles  = "files"
	KeyMemory = "memory"
)

var starve = Verb{
	Word: Starve, On: Traits, Kinds: nodes, Process: true, Doc: "the node's process gets only that much CPU time, file descriptors or memory, until it ends",
	Also:    []string{"stress", "hog"},
	Receipt: "`cpu`: every thread was stopped once; the others: the kernel's limit shows it",
	Undo:    Feed,
	Keys: []Key{
		{Name: KeyCPU, Of: Share, Doc: "share of each period in which the process runs; for the rest it is stopped"},
		{Name: KeyPeriod, Of: Span, Needs: KeyCPU, Doc: "length of a period (100ms)"},
		{Name: KeyFiles, Of: Count, Low: 0, High: 1000, Doc: "how many more files and sockets it can open (namespaces)"},
		{Name: KeyMemory, Of: Count, Low: 1, High: 1 << 20, Doc: "how many more MiB of memory it can have (namespaces); a process that is refused memory ends, and a node that ends by itself fails the run"},
	},
	Wants: true,
}

var feed = Verb{
	Word: Feed, On: Traits, Kinds: nodes, Process: true, Answers: true, Doc: "the limits of `starve` are lifted",
	Receipt: "no thread is stopped, and the kernel's limits are the old ones",
}
