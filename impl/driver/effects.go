package driver

import (
	"errors"
	"fmt"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/node"
)

// do carries out one effect.
func (d *Driver) do(e node.Effect) {
	switch e := e.(type) {
	case *node.SendBFD:
		if err := d.failed(SendBFD, d.ports.SendBFD(e.Path, d.cast(e.Path), e.Data)); err != nil {
			d.corrections.unsent = append(d.corrections.unsent, node.SendFailed{Path: e.Path, Err: err.Error()})
		}
	case *node.Lease:
		d.lease(e)
	case node.SendSync:
		d.ports.SendSync(e.Data)
	case node.ResetStream:
		d.ports.ResetStream(e.Why)
	case node.Apply:
		d.ports.Apply(e.Entries, e.Deletes, func(err error) { d.answer(e.ID, d.failed(Apply, err), nil) })
	case node.Miss:
		_ = d.failed(SetMiss, d.ports.SetMiss(e.Guess))
	case node.Drain:
		lost, err := d.ports.Drain(d.Flows)
		if lost {
			d.answers = append(d.answers, node.Lost{})
		}
		d.answer(e.ID, d.failed(Drain, err), nil)
	case node.Dump:
		d.ports.Dump(func(entries []flow.Entry, err error) { d.answer(e.ID, d.failed(Dump, err), entries) })
	case node.Walk:
		d.ports.Walk(func(part []flow.Held, end bool, err error) {
			d.reply(node.Done{ID: e.ID, Held: part, End: end}, d.failed(Walk, err))
		})
	case node.Examine:
		held, err := d.ports.Examine(e.Tuples)
		d.reply(node.Done{ID: e.ID, Held: held}, d.failed(Examine, err))
	case node.Heal:
		d.ports.Heal(e.Entries, e.Deletes, func(err error) { d.answer(e.ID, d.failed(Heal, err), nil) })
	case node.Merge:
		d.ports.Merge(e.Entries, func(err error) { d.answer(e.ID, d.failed(Merge, err), nil) })
	case node.Expire:
		d.ports.Expire(e.On, e.Since)
	case node.Keep:
		_ = d.failed(Keep, d.ports.Keep(e.Pedigree))
	case node.SendReplies:
		_ = d.failed(SendReplies, d.ports.SendReplies(e.IDs))
	case node.DropReplies:
		d.ports.DropReplies(e.IDs)
	case node.Announce:
		_ = d.failed(Announce, d.ports.Announce(e))
	case *node.Relay:
		_ = d.failed(Relay, d.ports.Relay(e.Until))
	case node.PeerMAC:
		_ = d.failed(PeerMAC, d.ports.PeerMAC(e.Link, e.MAC))
	case node.Follow:
		d.ports.Follow(e.Topic, e.Data)
	case node.Unfollow:
		d.ports.Unfollow()
	case node.Arbitrate:
		d.ports.Arbitrate(e.Question)
	case *node.Trace:
		d.ports.Record(e.Event)
	case node.Exit:
		d.exits = true
	default:
		panic(fmt.Sprintf("driver: unknown effect %T", e))
	}
}

// errUnjustified refuses a lease because a BFD packet before it did not leave.
var errUnjustified = errors.New("a BFD packet that justifies it did not leave")

// lease passes a lease to the dataplane. A lease that has already expired forbids forwarding
// and needs no justification.
func (d *Driver) lease(e *node.Lease) {
	err := errUnjustified
	if e.Until <= d.now || len(d.corrections.unsent) == 0 {
		err = d.failed(Lease, d.ports.Lease(e.Until))
	}
	if err == nil {
		d.leased = e.Until
	}
	switch {
	case e.ID != 0:
		d.answer(e.ID, err, nil)
	case err != nil:
		d.corrections.renewal = true
	}
}

// failed reports a failed call to the ports and returns its error.
func (d *Driver) failed(call Call, err error) error {
	if err != nil {
		d.ports.Failed(call, err)
	}
	return err
}

// answer queues the Done of an effect for Next.
func (d *Driver) answer(id uint64, err error, entries []flow.Entry) {
	d.reply(node.Done{ID: id, Entries: entries}, err)
}

// reply queues a Done for Next. After a failure it drops the entries that were read: part of a
// table could be taken for the whole table.
func (d *Driver) reply(done node.Done, err error) {
	if err != nil {
		done = node.Done{ID: done.ID, Err: err.Error()}
		errors.As(err, &done.Refused)
	}
	d.answers = append(d.answers, done)
}

// corrections are the failures that the core must learn before its next input, because it
// assumes that packets leave and that leases are renewed.
type corrections struct {
	unsent  []node.SendFailed // packets that did not leave
	renewal bool              // a renewal of the lease had no effect
}

// take returns the next correction. The packets come before the renewal that they justified.
func (c *corrections) take(leased clock.Instant) (node.Input, bool) {
	switch {
	case len(c.unsent) > 0:
		in := c.unsent[0]
		c.unsent = append(c.unsent[:0], c.unsent[1:]...)
		return in, true
	case c.renewal:
		c.renewal = false
		return node.RenewalFailed{Until: leased}, true
	}
	return nil, false
}
