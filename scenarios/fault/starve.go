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
	Word: Starve, On: Traits, Kinds: nodes, Process: true, Doc: "the node's process gets no more of the processor, of file descriptors or of memory than that, until it ends",
	Receipt: "of `cpu` every thread was seen stopped for the first time; of the others the kernel's limit reads so",
	Undo:    Feed,
	Keys: []Key{
		{Name: KeyCPU, Of: Share, Doc: "share of the time in which it runs; for the rest of each period it is stopped"},
		{Name: KeyPeriod, Of: Span, Needs: KeyCPU, Doc: "how long it runs and stands still in turn (100ms)"},
		{Name: KeyFiles, Of: Count, Low: 0, High: 1000, Doc: "how many more files and sockets it can open (namespaces)"},
		{Name: KeyMemory, Of: Count, Low: 1, High: 1 << 20, Doc: "how many more MiB of memory it can have (namespaces); a process that is refused memory ends, and a node that ends by itself fails the run"},
	},
	Wants: true,
}

var feed = Verb{
	Word: Feed, On: Traits, Kinds: nodes, Process: true, Answers: true, Doc: "the node's process gets all that it asks for again",
	Receipt: "no thread is stopped, and the kernel's limits are the old ones",
}
