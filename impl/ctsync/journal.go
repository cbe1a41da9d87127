package ctsync

import (
	"math"
	"time"

	"baton/impl/flow"
)

// A change is what happened to one flow: it got this reply tuple and state, or,
// with state 0, it is gone.
type change struct {
	original, reply flow.Tuple
	remaining       uint32 // milliseconds
	state           flow.State
}

func (c change) deleted() bool { return c.state == 0 }

// acceptable reports whether the peer would take the change for a possible one.
func (c change) acceptable() bool {
	p := c.original.Proto
	return (p == flow.TCP || p == flow.UDP) && (c.deleted() || c.state.Valid() && c.reply.Proto == p)
}

// changeBy converts an event, and reports whether it makes sense.
func changeBy(ev flow.Event) (change, bool) {
	if ev.Deleted {
		c := change{original: ev.Entry.Original}
		return c, c.acceptable()
	}
	c := changeOf(ev.Entry)
	return c, c.acceptable() && !c.deleted()
}

// changeOf converts an entry. Lifetimes are rounded up to milliseconds, so that
// none becomes zero.
func changeOf(entry flow.Entry) change {
	ms := (max(entry.Remaining, 0) + time.Millisecond - 1) / time.Millisecond
	return change{
		original: entry.Original, reply: entry.Reply, state: entry.State,
		remaining: uint32(min(ms, math.MaxUint32)),
	}
}

// entry converts a change that is no deletion.
func (c change) entry(origin flow.Origin) flow.Entry {
	return flow.Entry{Original: c.original, Reply: c.reply, State: c.state, Origin: origin, Remaining: lifetime(c.remaining)}
}

func lifetime(ms uint32) time.Duration { return time.Duration(ms) * time.Millisecond }

// A journal remembers the last changes of an epoch, each by its sequence number,
// in a ring that grows up to its limit.
type journal struct {
	ring  []change
	limit int
	last  uint64 // sequence number of the newest change, 0 before the first
}

// add appends the change that follows last.
func (j *journal) add(c change) {
	j.last++
	if len(j.ring) < j.limit {
		j.ring = append(j.ring, c)
		return
	}
	j.ring[j.place(j.last)] = c
}

// first is the sequence number of the oldest change that is remembered; last+1
// where there is none.
func (j *journal) first() uint64 { return j.last + 1 - uint64(len(j.ring)) }

// at returns the change of a sequence number from first to last.
func (j *journal) at(seq uint64) *change { return &j.ring[j.place(seq)] }

// place is where a sequence number lives: 1 at the ring's beginning.
func (j *journal) place(seq uint64) uint64 { return (seq - 1) % uint64(j.limit) }

// reset forgets everything; the next change has sequence number 1.
func (j *journal) reset() { j.ring, j.last = j.ring[:0], 0 }
