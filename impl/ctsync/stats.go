package ctsync

// Stats counts since New.
type Stats struct {
	Violations      uint64 // messages refused because they broke the protocol
	Outdated        uint64 // messages of an earlier role, term or round, dropped
	Snapshots       uint64 // rounds that a source began with a snapshot
	Resumes         uint64 // rounds that a source began as a resumption
	Overflows       uint64 // times that a source's journal no longer held the sink's next change
	Mismatches      uint64 // marks that a sink found unequal
	Repairs         uint64 // repairs that a sink asked for, or a source was asked for
	BucketsRepaired uint64 // buckets in them, at the sink
	Strays          uint64 // changes of a sink's own dataplane
	LocalInvalid    uint64 // invalid changes of the own dataplane
	ApplyFailures   uint64 // batches that the dataplane did not apply
	Offered         uint64 // entries that a sink offered to its source
	Taken           uint64 // entries that a source took of those that were offered to it
	Reconciliations uint64 // dumps processed
	Reconciled      uint64 // flows that differed in them
}

// Stats returns the counters.
func (e *Engine) Stats() Stats { return e.stats }
