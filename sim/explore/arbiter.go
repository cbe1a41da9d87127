package explore

import (
	"fmt"
	"time"

	"baton/impl/arbiter"
	"baton/impl/fingerprint"
	"baton/impl/node"
)

// validity is how long a right granted by the arbiter is valid in a walk.
const validity = 600 * time.Millisecond

// arbiter returns the nodes' arbiter configuration.
func (o *Options) arbiter() (a node.Arbiter) {
	if o.Arbiter {
		a.Validity, a.Policy = validity, o.Policy
	}
	if o.Gateway {
		a.Gateway = node.Gateway{Name: tracked, Rise: 1, Fall: 1}
	}
	return a
}

// track returns the nodes' tracking configuration; it is empty if the tracked host is the gateway.
func (o *Options) track() (t node.Track) {
	if !o.Gateway {
		t = node.Track{Targets: []string{tracked}, Misses: 1}
	}
	return t
}

// store is the arbiter's store in a walk, with the questions and answers in flight. Unless a side
// is delayed, they are delivered at once.
type store struct {
	register arbiter.Register
	delayed  [2]bool // by side: questions and answers wait for a choice
	lost     [2]bool // by side: the store is unreachable
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

// Follow and Unfollow implement driver.Decider. The explored nodes exchange no decisions.
func (p ports) Follow(string, []byte) {}
func (p ports) Unfollow()             {}

// storePending reports whether a side has a question or an answer in flight.
func (w *world) storePending(side int) bool {
	return len(w.store.asked[side])+len(w.store.answered[side]) > 0
}

// stepStore delivers the oldest answer to a side. Without one, the store answers the side's oldest
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

// missed reports whether a side may lack a prompt answer.
func (c *store) missed(side int) bool {
	return c.lost[side] || c.delayed[side] || len(c.asked[side])+len(c.answered[side]) > 0
}

// forget drops a side's questions and answers in flight.
func (c *store) forget(side int) { c.asked[side], c.answered[side] = nil, nil }

// reach lets a side reach the store without delay again.
func (c *store) reach(side int) { c.delayed[side], c.lost[side] = false, false }
