package arbiter

// Register is a store in memory, for tests and models.
type Register struct {
	Record   Record
	Revision uint64 // of the record; 0 without one
	deleted  uint64 // revision of the record that was deleted last
}

// Delete loses the record. Revisions do not repeat.
func (r *Register) Delete() {
	*r = Register{deleted: max(r.deleted, r.Revision)}
}

// Do carries a question out.
func (r *Register) Do(q Question) Answer {
	swapped := q.Swap && q.Revision == r.Revision
	if swapped {
		r.Revision = max(r.Revision, r.deleted) + 1
		r.Record = q.Record
	}
	return Answer{ID: q.ID, Swapped: swapped, Revision: r.Revision, Record: r.Record}
}
