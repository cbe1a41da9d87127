package flow

// Held is an entry as the dataplane's table holds it.
type Held struct {
	Entry
	// Found is false if the table has no entry of the original tuple, which is all that is set.
	Found bool
	// Sound says that the entry agrees with itself: a packet of either direction finds it, its
	// state is one of its protocol, and its last packet is not in the future.
	Sound bool
}
