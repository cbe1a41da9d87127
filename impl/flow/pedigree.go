package flow

import "baton/impl/clock"

// Pedigree says how current and complete a connection table is. It is stored with a table that
// outlives the process, for the process that adopts it. The zero Pedigree means that nothing is
// known.
type Pedigree struct {
	Epoch     uint32 // in which the table was the MASTER's, or a copy of it
	Witnessed uint32 // the last epoch in which both nodes had it
	Seen      uint32 // the largest epoch claimed or heard of
	// Whole means that a MASTER used the table until its end, so that no flow of its epoch is
	// missing. A BACKUP's copy is never whole after its process has ended, since the MASTER may
	// have continued.
	Whole bool
	// Ended is when the last lease for this table ended. It is not stored: the dataplane knows
	// it.
	Ended clock.Instant
}
