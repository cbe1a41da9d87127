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
	next    int           // the effect that is carried out next
	asked   uint64        // effects so far
	waits   bool          // and that takes its time
	exits   bool          // the core has asked to exit
	ended   bool

	answers  []node.Input // what effects came to
	answered int          // how many of them Next has returned

	corrections corrections
	leased      clock.Instant // up to when the dataplane was last allowed to forward
	resolved    []bool        // by path: the peer's hardware address is known
}

// New returns a driver of a core.
func New(core *node.Node, ports Ports) *Driver { return &Driver{core: core, ports: ports} }

// Clone returns a copy that drives a copy of the core. Copies share effects that wait, so
// neither a driver that is cloned nor its copy gives effects back to its core: call
// KeepEffects first.
func (d *Driver) Clone(core *node.Node, ports Ports) *Driver {
	c := *d
	c.core, c.ports = core, ports
	c.effects, c.next = slices.Clone(d.effects[d.next:]), 0
	c.answers, c.answered = slices.Clone(d.answers[d.answered:]), 0
	c.corrections.unsent = slices.Clone(d.corrections.unsent)
	c.resolved = slices.Clone(d.resolved)
	return &c
}

// KeepEffects has effects not given back to the core for reuse.
func (d *Driver) KeepEffects() { d.keeps = true }

// Step gives one input to the core and carries out what follows. It must not be called
// while an effect takes its time.
func (d *Driver) Step(in node.Input) {
	if d.waits {
		panic("driver: stepped while an effect takes its time")
	}
	if d.ended {
		return
	}
	d.now = d.ports.Now()
	d.core.Step(d.now, in)
	d.CarryOut(d.core.Ready()...)
}

// Start carries out what the core wants since it was made.
func (d *Driver) Start() {
	d.now = d.ports.Now()
	d.CarryOut(d.core.Ready()...)
}

// CarryOut carries out effects, and what follows from those that did not come about.
func (d *Driver) CarryOut(effects ...node.Effect) {
	d.effects, d.next = effects, 0
	d.asked += uint64(len(effects))
	d.resume()
}

// Waits reports whether an effect takes its time.
func (d *Driver) Waits() bool { return d.waits }

// Waiting returns the effects that are not carried out yet. While Waits, the first takes
// its time.
func (d *Driver) Waiting() []node.Effect { return d.effects[d.next:] }

// Finish says that the time has passed that an effect takes: it takes hold now.
func (d *Driver) Finish() {
	d.waits = false
	d.one()
	d.resume()
}

// Next returns what an effect came to, oldest first, for the world to step in.
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

// Settle steps in what effects came to, until nothing more does or one takes its time.
func (d *Driver) Settle() {
	for in, ok := d.Next(); ok; in, ok = d.Next() {
		d.Step(in)
	}
}

// Asked returns how many effects the core has asked for so far.
func (d *Driver) Asked() uint64 { return d.asked }

// Leased returns up to when the dataplane was last allowed to forward.
func (d *Driver) Leased() clock.Instant { return d.leased }

// Flows keeps flow events for Next, as one input.
func (d *Driver) Flows(events []flow.Event) {
	d.answers = append(d.answers, node.Flows{Events: events})
}

// resume carries out the effects that are left.
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

// one carries out the next effect.
func (d *Driver) one() {
	e := d.effects[d.next]
	d.next++
	d.do(e)
}
