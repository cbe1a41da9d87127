package flow

// Held is an entry as the dataplane's table holds it.
type Held struct {
	Entry
	// Found reports whether the table has an entry. If not, only the original tuple is set.
	Found bool
	// Sound says that the entry is consistent: packets of both directions find it, its state
	// belongs to its protocol, and its last packet is not in the future.
	Sound bool
}
