package ctsync

import (
	"math"
	"time"

	"baton/impl/flow"
)

// A change is the new reply tuple and state of one flow; state 0 means that the
// flow was deleted.
type change struct {
	original, reply flow.Tuple
	remaining       uint32 // milliseconds
	state           flow.State
}

func (c change) deleted() bool { return c.state == 0 }

// acceptable reports whether the peer would accept the change as valid.
func (c change) acceptable() bool {
	p := c.original.Proto
	return p.Balanced() && (c.deleted() || c.state.Valid() && c.reply.Proto == p && (!c.isAcross() || c.reply.Unclaimed()))
}

// changeBy converts an event, and reports whether it is valid.
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
	ms := max(entry.Remaining, 0) / time.Millisecond
	if entry.Remaining%time.Millisecond > 0 {
		ms++
	}
	return change{
		original: entry.Original, reply: entry.Reply, state: entry.State,
		remaining: uint32(min(ms, math.MaxUint32)),
	}
}

// entry converts a change other than a deletion.
func (c change) entry(origin flow.Origin) flow.Entry {
	return flow.Entry{Original: c.original, Reply: c.reply, State: c.state, Origin: origin, Remaining: lifetime(c.remaining)}
}

func lifetime(ms uint32) time.Duration { return time.Duration(ms) * time.Millisecond }
