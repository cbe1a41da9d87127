// Package explore visits every state that two nodes can reach within a number of
// choices, breadth first, and checks six claims in each. The nodes are the real
// impl/node cores; their environment is small enough to be enumerated. A choice is
// which frame of the sync stream arrives next, whether a write to the dataplane
// completes, whether time passes, or which fault happens or is healed. The command
// line and the tests call it. It is pure: no clock, no goroutine, no randomness, the
// same walk every time.
//
// # Claims
//
//   - forwarders: at most one node's dataplane forwards while heartbeats pass in some
//     direction on some path. After a partition this holds again once the pair has settled.
//   - gates: no node claims without its gates. The trace says which gates were open.
//     The world checks what it knows itself: the service link has carrier, the recovery
//     delay since boot has passed or the pair starts cold, the node was not asked to stop,
//     and a new MASTER has every flow of a live peer.
//   - announce: no announcement before the table is installed and the lease is held.
//   - epoch: a new MASTER's epoch is larger than all epochs of its own earlier terms and
//     of every table that it has heard of. (A pair that restarts as a whole forgets its epochs.)
//   - stranded: from every state, once all faults are healed and everything in flight has
//     completed, the pair reaches one MASTER and one BACKUP in sync. If all faults but
//     one are healed, a node that can serve forwards alone.
//   - rest: no node asks for timers or frames without end.
//
// # What is abstracted
//
// Heartbeats on a path that is not cut arrive at the instant they are sent. Both
// nodes then measure from the same packet with the same clock, so the lease is always
// shorter than the detection time. Clocks do not drift. Time passes only when chosen,
// by a beat (shorter than the detection time, longer than a transmit interval) or until
// something changes; sync frames and dataplane writes may be delayed for any time. Two
// states are equal if their fields agree after rounding instants, replacing counters by
// their order and leaving out statistics; the walk is exhaustive up to that rounding.
// A wrong merge of states can hide a violation but cannot invent one: every violation is
// replayed from the beginning before it counts.
package explore
