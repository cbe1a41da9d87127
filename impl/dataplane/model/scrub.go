package model

import (
	"fmt"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// walkPart is the maximum number of entries per call of Walk.
const walkPart = 2048

// Walk implements dataplane.Dataplane.
func (d *Dataplane) Walk(f func(flow.Held)) (end bool, err error) {
	if len(d.walk) == 0 {
		d.walk = d.sorted()
	}
	part := d.walk[:min(walkPart, len(d.walk))]
	d.walk = d.walk[len(part):]
	for _, t := range part {
		if c := d.conns[t]; c != nil {
			f(d.held(t, c))
		}
	}
	return len(d.walk) == 0, nil
}

// Examine implements dataplane.Dataplane.
func (d *Dataplane) Examine(tuples []flow.Tuple) ([]flow.Held, error) {
	held := make([]flow.Held, len(tuples))
	for i, t := range tuples {
		held[i].Original = t
		if c := d.conns[t]; c != nil {
			held[i] = d.held(t, c)
		}
	}
	return held, nil
}

// Heal implements dataplane.Dataplane.
func (d *Dataplane) Heal(entries []flow.Entry, deletes []flow.Tuple) error {
	for _, t := range deletes {
		d.removeDamaged(t)
	}
	for i := range entries {
		e := &entries[i]
		c := d.conns[e.Original]
		if c != nil && d.isSound(e.Original, c) {
			continue
		}
		owner, taken := d.replies[e.Reply]
		if other := d.conns[owner]; taken && (owner == e.Original || c != nil && (other == nil || other.reply != e.Reply)) {
			delete(d.replies, e.Reply) // a claim without a flow
		}
		d.removeDamaged(e.Original)
	}
	return d.install(entries, true)
}

func (d *Dataplane) held(t flow.Tuple, c *conn) flow.Held {
	return flow.Held{Entry: d.entry(t, c, d.now), Found: true, Sound: d.isSound(t, c)}
}

// isSound reports whether an entry is consistent.
func (d *Dataplane) isSound(t flow.Tuple, c *conn) bool {
	return dataplane.IsStateOf(t.Proto, c.state) && c.reply.Proto == t.Proto && c.lastSeen <= d.now &&
		(t.IsAffinity() || d.isReplyOf(t, c.reply))
}

// isReplyOf reports whether a flow has the reply tuple: claimed, or of a direct flow.
func (d *Dataplane) isReplyOf(t, reply flow.Tuple) bool {
	if reply.Unclaimed() {
		return reply == flow.DirectReply(t, reply.Src)
	}
	return d.replies[reply] == t
}

// removeDamaged removes an inconsistent entry.
func (d *Dataplane) removeDamaged(t flow.Tuple) {
	if c := d.conns[t]; c != nil && !d.isSound(t, c) {
		d.remove(t)
	}
}

// Damage implements faulty.Damager.
func (d *Dataplane) Damage(altered, vanished flow.Tuple) error {
	c := d.conns[altered]
	if c == nil || d.conns[vanished] == nil {
		return fmt.Errorf("dataplane model: damage %s and %s: not both in the table", altered, vanished)
	}
	c.reply.DstPort ^= damagedBit
	delete(d.conns, vanished)
	return nil
}

// damagedBit is the bit of a port that Damage flips.
const damagedBit = 1 << 9
