package explore

import (
	"fmt"
	"time"

	"baton/impl/arbiter"
	"baton/impl/fingerprint"
	"baton/impl/node"
)

// validity is how long the arbiter's right holds in a walk.
const validity = 600 * time.Millisecond

// arbiter is the nodes' configuration of the arbiter.
func (o *Options) arbiter() (a node.Arbiter) {
	if o.Arbiter {
		a.Validity, a.Policy = validity, o.Policy
	}
	if o.Gateway {
		a.Gateway = node.Gateway{Name: tracked, Rise: 1, Fall: 1}
	}
	return a
}

// track is the nodes' configuration of the tracked host, where it is no gateway.
func (o *Options) track() (t node.Track) {
	if !o.Gateway {
		t = node.Track{Targets: []string{tracked}, Misses: 1}
	}
	return t
}

// store is the arbiter's store in a walk, with the questions and answers in flight. Those
// of a side that is not delayed are delivered at once.
type store struct {
	register arbiter.Register
	delayed  [2]bool // a side's questions and answers wait for a choice
	lost     [2]bool // a side does not reach the store
	asked    [2][]arbiter.Question
	answered [2][]arbiter.Answer
}

func (c *store) clone() store {
	v := *c
	for i := range v.asked {
		v.asked[i] = append([]arbiter.Question(nil), c.asked[i]...)
		v.answered[i] = append([]arbiter.Answer(nil), c.answered[i]...)
	}
	return v
}

func (c *store) fingerprint(h *fingerprint.Hash) {
	h.Text(c.register.Record.Alone)
	h.Text(c.register.Record.Challenger)
	h.Counter(fingerprint.Revision, c.register.Revision)
	for i := range c.asked {
		h.Flag(c.delayed[i])
		h.Flag(c.lost[i])
		h.Number(uint64(len(c.asked[i])))
		for _, q := range c.asked[i] {
			h.Text(fmt.Sprint(q.ID, q.Swap, q.Record))
			h.Counter(fingerprint.Revision, q.Revision)
		}
		for _, a := range c.answered[i] {
			h.Text(fmt.Sprint(a.ID, a.Swapped, a.Record))
			h.Counter(fingerprint.Revision, a.Revision)
		}
	}
}

// Arbitrate implements driver.Arbiter.
func (p ports) Arbitrate(q arbiter.Question) {
	if c := &p.w.store; !c.lost[p.s.index] {
		c.asked[p.s.index] = append(c.asked[p.s.index], q)
	}
}

// Follow and Unfollow implement driver.Decider. Nobody here decides anything.
func (p ports) Follow(string, []byte) {}
func (p ports) Unfollow()             {}

// storePending reports whether a side has a question or an answer in flight.
func (w *world) storePending(side int) bool {
	return len(w.store.asked[side])+len(w.store.answered[side]) > 0
}

// stepStore delivers the oldest answer of a side, or else has the store answer its oldest
// question.
func (w *world) stepStore(side int) {
	c, s := &w.store, &w.sides[side]
	if answered := c.answered[side]; len(answered) > 0 {
		c.answered[side] = answered[1:]
		w.input(s, node.Arbitration{Answer: answered[0]})
		return
	}
	q := c.asked[side][0]
	c.asked[side] = c.asked[side][1:]
	c.answered[side] = append(c.answered[side], c.register.Do(q))
}

// missed reports whether a side has not got a prompt answer, or may not have yet.
func (c *store) missed(side int) bool {
	return c.lost[side] || c.delayed[side] || len(c.asked[side])+len(c.answered[side]) > 0
}

// forget drops the questions and answers in flight of a daemon that has ended or that lost
// the store.
func (c *store) forget(side int) { c.asked[side], c.answered[side] = nil, nil }

// reach lets a side reach the store without delay again.
func (c *store) reach(side int) { c.delayed[side], c.lost[side] = false, false }
