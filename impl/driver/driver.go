package driver

import (
	"slices"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/node"
)

// Driver drives one core. It is not safe for concurrent use.
type Driver struct {
	core  *node.Node
	ports Ports
	keeps bool

	now     clock.Instant // of the Step whose effects are carried out
	effects []node.Effect // of that Step
	next    int           // index of the next effect
	asked   uint64        // effects so far
	waits   bool          // the next effect takes time
	exits   bool          // the core has asked to exit
	ended   bool

	answers  []node.Input // results of effects
	answered int          // results that Next has returned

	corrections corrections
	leased      clock.Instant // end of the last lease that the dataplane accepted
	resolved    []bool        // by path: the peer's hardware address is known
}

// New returns a driver of a core.
func New(core *node.Node, ports Ports) *Driver { return &Driver{core: core, ports: ports} }

// Clone returns a copy that drives a copy of the core. Both share the effects that wait, so
// neither may return effects to its core: call KeepEffects first.
func (d *Driver) Clone(core *node.Node, ports Ports) *Driver {
	c := *d
	c.core, c.ports = core, ports
	c.effects, c.next = slices.Clone(d.effects[d.next:]), 0
	c.answers, c.answered = slices.Clone(d.answers[d.answered:]), 0
	c.corrections.unsent = slices.Clone(d.corrections.unsent)
	c.resolved = slices.Clone(d.resolved)
	return &c
}

// KeepEffects stops the driver from returning effects to the core for reuse.
func (d *Driver) KeepEffects() { d.keeps = true }

// Step passes one input to the core and carries out the effects. It panics while Waits.
func (d *Driver) Step(in node.Input) {
	if d.waits {
		panic("driver: Step called while an effect waits for Finish")
	}
	if d.ended {
		return
	}
	d.now = d.ports.Now()
	d.core.Step(d.now, in)
	d.CarryOut(d.core.Ready()...)
}

// Start carries out the effects that the core asked for when it was created.
func (d *Driver) Start() {
	d.now = d.ports.Now()
	d.CarryOut(d.core.Ready()...)
}

// CarryOut carries out effects, and steps the corrections if some fail.
func (d *Driver) CarryOut(effects ...node.Effect) {
	d.effects, d.next = effects, 0
	d.asked += uint64(len(effects))
	d.resume()
}

// Waits reports whether an effect waits for Finish.
func (d *Driver) Waits() bool { return d.waits }

// Waiting returns the effects that are not carried out yet. While Waits, the first of them
// waits for Finish.
func (d *Driver) Waiting() []node.Effect { return d.effects[d.next:] }

// Finish carries out the effect that waits, and those after it.
func (d *Driver) Finish() {
	d.waits = false
	d.one()
	d.resume()
}

// Next returns the oldest result of an effect, for the world to step. It returns false if there
// is none, while Waits, and after Exit.
func (d *Driver) Next() (node.Input, bool) {
	if d.waits || d.ended || d.answered == len(d.answers) {
		return nil, false
	}
	in := d.answers[d.answered]
	d.answers[d.answered] = nil
	if d.answered++; d.answered == len(d.answers) {
		d.answers, d.answered = d.answers[:0], 0
	}
	return in, true
}

// Settle steps the results of effects until none is left or an effect waits for Finish.
func (d *Driver) Settle() {
	for in, ok := d.Next(); ok; in, ok = d.Next() {
		d.Step(in)
	}
}

// Asked returns how many effects the core has asked for so far.
func (d *Driver) Asked() uint64 { return d.asked }

// Leased returns the end of the last lease that the dataplane accepted.
func (d *Driver) Leased() clock.Instant { return d.leased }

// Flows queues flow events for Next, as one input.
func (d *Driver) Flows(events []flow.Event) {
	d.answers = append(d.answers, node.Flows{Events: events})
}

// resume carries out the remaining effects, up to the first that takes time.
func (d *Driver) resume() {
	for d.next < len(d.effects) {
		if d.ports.Takes(d.effects[d.next]) {
			d.waits = true
			return
		}
		d.one()
	}
	if d.exits {
		d.ended = true
		d.ports.Exit()
		return
	}
	if !d.keeps {
		d.core.Release(d.effects)
	}
	d.effects, d.next = nil, 0
	if in, any := d.corrections.take(d.leased); any {
		d.Step(in)
	}
}

// one carries out the next effect, even if it takes time.
func (d *Driver) one() {
	e := d.effects[d.next]
	d.next++
	d.do(e)
}
