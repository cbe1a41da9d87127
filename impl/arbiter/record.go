package arbiter

// Record is what the store holds.
type Record struct {
	Alone      string `json:"alone,omitempty"`      // the node that may act alone, "" while the nodes hear each other
	Challenger string `json:"challenger,omitempty"` // the node that asks whether that one is alive
}

// Question is one access to the store.
type Question struct {
	ID   uint64
	Swap bool // replace the record if it has Revision; false: read it
	// Revision of the record to replace, 0 if none was ever written.
	Revision uint64
	Record   Record
}

// Answer is the store's answer: the record and its revision after the access. Swapped: the
// swap took place. After an error, it may have.
type Answer struct {
	ID       uint64
	Err      string
	Swapped  bool
	Revision uint64
	Record   Record
}
