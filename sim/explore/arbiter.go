package explore

import (
	"fmt"
	"time"

	"baton/impl/arbiter"
	"baton/impl/fingerprint"
	"baton/impl/node"
)

// validity is how long a right of the arbiter holds in a walk with one.
const validity = 600 * time.Millisecond

// arbiter is what the nodes of a walk know of theirs.
func (o *Options) arbiter() (a node.Arbiter) {
	if o.Arbiter {
		a.Validity = validity
	}
	return a
}

// court is the arbiter of a walk, and what is on the way to and from it. Between a prompt
// arbiter and a side nothing waits.
type court struct {
	register arbiter.Register
	slow     [2]bool // what a side asks waits for a choice
	remote   [2]bool // a side does not reach it
	asked    [2][]arbiter.Question
	answered [2][]arbiter.Answer
}

func (c *court) clone() court {
	v := *c
	for i := range v.asked {
		v.asked[i] = append([]arbiter.Question(nil), c.asked[i]...)
		v.answered[i] = append([]arbiter.Answer(nil), c.answered[i]...)
	}
	return v
}

func (c *court) fingerprint(h *fingerprint.Hash) {
	h.Text(c.register.Record.Alone)
	h.Text(c.register.Record.Challenger)
	h.Counter(fingerprint.Revision, c.register.Revision)
	for i := range c.asked {
		h.Flag(c.slow[i])
		h.Flag(c.remote[i])
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
	if c := &p.w.court; !c.remote[p.s.index] {
		c.asked[p.s.index] = append(c.asked[p.s.index], q)
	}
}

// canRule reports whether a question of a side waits for the arbiter, or its answer for
// the side.
func (w *world) canRule(side int) bool {
	return len(w.court.asked[side])+len(w.court.answered[side]) > 0
}

// rule takes the oldest question or answer of a side one step on its way.
func (w *world) rule(side int) {
	c, s := &w.court, &w.sides[side]
	if answered := c.answered[side]; len(answered) > 0 {
		c.answered[side] = answered[1:]
		w.input(s, node.Arbitration{Answer: answered[0]})
		return
	}
	q := c.asked[side][0]
	c.asked[side] = c.asked[side][1:]
	c.answered[side] = append(c.answered[side], c.register.Do(q))
}

// forget drops what is on its way for a daemon that has ended, or that loses the arbiter.
func (c *court) forget(side int) { c.asked[side], c.answered[side] = nil, nil }

// reach lets a side reach the arbiter promptly again.
func (c *court) reach(side int) { c.slow[side], c.remote[side] = false, false }
