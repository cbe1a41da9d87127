package arbiter

// Record is what the store holds.
type Record struct {
	Alone      string `json:"alone,omitempty"`      // the node that may act alone, "" while the nodes hear each other
	Challenger string `json:"challenger,omitempty"` // the node that asks whether it still does
}

// Question is one access to the store.
type Question struct {
	ID   uint64
	Swap bool // replace the record if it has Revision; else read it
	// Revision is that of the record to be replaced, 0 for one that was never written.
	Revision uint64
	Record   Record
}

// Answer is what the store says: the record and its revision after the access. A swap has
// taken place where Swapped is set, and not where Err is empty and it is not. After an
// error it may have.
type Answer struct {
	ID       uint64
	Err      string
	Swapped  bool
	Revision uint64
	Record   Record
}
