package bpf

import (
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// The word of a conn: its state, and what the next state depends on (types.h).
const (
	wordStateMask   = 0xff
	wordReplySeen   = 1 << 8
	wordOriginShift = 14
	wordOriginMask  = 3
)

func stateOf(word uint64) flow.State { return flow.State(word & wordStateMask) }

func originOf(word uint64) flow.Origin { return flow.Origin(word >> wordOriginShift & wordOriginMask) }

// toWord returns the word of a replicated state. The peer has seen packets that this node
// has not. So a half-open connection counts as answered. Which side closed first is
// unknown, so both FINs must still pass. The sequence numbers are unknown until their
// receivers acknowledge some. The programs add the flow's id.
func toWord(s flow.State, o flow.Origin) uint64 {
	word := uint64(s) | uint64(o)<<wordOriginShift
	if s == flow.SynSent {
		word |= wordReplySeen
	}
	return word
}

// addCounters adds the counters of one CPU.
func addCounters(sum *dataplane.Counters, c *lbCounters) {
	for i := range sum.Forwarded {
		sum.Forwarded[i] += c.Forwarded[i]
		sum.Bytes[i] += c.Bytes[i]
	}
	sum.Created += c.Created
	sum.Adopted += c.Adopted
	sum.ARPReplies += c.ArpReplies
	for i := range sum.Dropped { // the programs have room for more reasons
		sum.Dropped[i] += c.Dropped[i]
	}
	sum.EventsLost += c.EventsLost
	sum.Unproven += c.Unproven
	sum.Fragments += c.Fragments
	sum.EchoReplies += c.EchoReplies
	sum.ICMPErrors += c.IcmpErrors
	sum.Resets += c.Resets
	for i := range sum.Fast.Forwarded {
		sum.Fast.Forwarded[i] += c.Fast[i]
	}
	for i := range sum.Fast.Left {
		sum.Fast.Left[i] += c.Left[i]
	}
	sum.Relayed += c.Relayed
	sum.Deferred += c.Deferred
	sum.Undeferred += c.Undeferred
}
