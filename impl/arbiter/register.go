package arbiter

// Register is a store in memory, for tests and models.
type Register struct {
	Record   Record
	Revision uint64
}

// Do carries a question out.
func (r *Register) Do(q Question) Answer {
	swapped := q.Swap && q.Revision == r.Revision
	if swapped {
		r.Revision++
		r.Record = q.Record
	}
	return Answer{ID: q.ID, Swapped: swapped, Revision: r.Revision, Record: r.Record}
}
