package flow

import "baton/impl/clock"

// Pedigree is what a node knows of the worth of its connection table. It is kept with a
// table that outlives the process, for the process that adopts it. The zero Pedigree is
// that of a table of which nothing is known.
type Pedigree struct {
	Epoch     uint32 // in which the table was the MASTER's, or a copy of it
	Witnessed uint32 // the last epoch in which both nodes had it
	Seen      uint32 // the largest epoch that was claimed or heard of
	// Whole: a MASTER led with it to its end, so that it lacks no flow of its epoch. A
	// copy is never whole once its process is gone: the MASTER may have served on.
	Whole bool
	// Ended is when the last lease to forward by the table ended. It is not kept: the
	// dataplane knows it.
	Ended clock.Instant
}
