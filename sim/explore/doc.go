// Package explore walks every state that two nodes can reach within a number of
// choices, breadth first, and holds each of them against five claims. The nodes
// are the real impl/node cores; only what surrounds them is made small enough to
// be enumerated. What is chosen at each point: which frame of the sync stream
// arrives next, whether a write to the dataplane completes, whether time passes,
// and which fault happens or is undone. The command line and the tests call it;
// it is pure: no clock, no goroutine, no randomness, the same walk every time.
//
// # Claims
//
//   - forwarders: at most one node's dataplane forwards while heartbeats pass in some
//     direction on some path, or the pair has settled since none did.
//   - gates: nobody claims without what its gates stand for. The trace says which
//     gates were open; the world checks what it knows itself: that the service link
//     has carrier, that the recovery delay since boot has run or the pair starts cold, that
//     the node was not asked to stop, and that a live peer holds no flow that a new MASTER
//     lacks.
//   - announce: no announcement before the table is installed and the lease held.
//   - epoch: a new MASTER's epoch is larger than those with which it has been MASTER, and
//     than that of every table that it was told of. (What a whole pair has forgotten
//     by restarting nobody can exceed.)
//   - stranded: from every state, once all faults are undone and whatever waits
//     arrives and completes, one MASTER and one BACKUP in sync follow.
//     And once all faults but one are undone, for each of them, one that can serve
//     forwards alone.
//   - rest: no node asks for timers or frames without end.
//
// # What is abstracted
//
// Heartbeats on a path that is not cut arrive at the instant at which they were
// sent: this is the assumption "the lease is shorter than the detection time" in
// its pure form, since both nodes then measure from the same packet with one
// clock. Clocks do not drift. Time passes only when chosen, by a beat (shorter
// than the detection time, longer than a transmit interval) or until something
// changes; sync frames and dataplane writes may wait through it for as long as the
// walk likes. Two states count as one if their fields agree after instants have
// been rounded, counters replaced by their order, and statistics left out; the
// walk is exhaustive up to that rounding. A faulty merge can hide a state but
// never accuse: every violation is replayed from the beginning before it counts.
package explore
