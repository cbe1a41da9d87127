package driver

import (
	"errors"

	"baton/impl/clock"
	"baton/impl/flow"
)

// Plan says which calls of a node's ports fail. Fate is called once for each call.
type Plan interface {
	Fate(Call) Fate
}

// Fate says whether a call succeeds.
type Fate uint8

// The fates. FailsHalfway applies to Apply: it writes the first half of its entries, deletes
// nothing and fails.
const (
	Succeeds Fate = iota
	Fails
	FailsHalfway
)

// errPlanned is the error of a call that the plan lets fail.
var errPlanned = errors.New("no buffer space available")

// Faulty wraps ports and lets calls fail by plan.
type Faulty struct {
	Ports
	Plan Plan
}

// SendBFD implements Heartbeat.
func (f *Faulty) SendBFD(path int, to Cast, packet []byte) error {
	if f.Plan.Fate(SendBFD) != Succeeds {
		return errPlanned
	}
	return f.Ports.SendBFD(path, to, packet)
}

// Lease implements Dataplane. A lease that forbids forwarding never fails: the node could
// only wait for the previous lease to expire.
func (f *Faulty) Lease(until clock.Instant) error {
	if until > f.Now() && f.Plan.Fate(Lease) != Succeeds {
		return errPlanned
	}
	return f.Ports.Lease(until)
}

// Apply implements Dataplane.
func (f *Faulty) Apply(entries []flow.Entry, deletes []flow.Tuple, done func(error)) {
	switch f.Plan.Fate(Apply) {
	case Fails:
		done(errPlanned)
	case FailsHalfway:
		f.Ports.Apply(entries[:len(entries)/2], nil, func(error) { done(errPlanned) })
	default:
		f.Ports.Apply(entries, deletes, done)
	}
}

// Drain implements Dataplane.
func (f *Faulty) Drain(take func([]flow.Event)) (lost bool, err error) {
	if f.Plan.Fate(Drain) != Succeeds {
		return false, errPlanned
	}
	return f.Ports.Drain(take)
}

// Keep implements Dataplane.
func (f *Faulty) Keep(p flow.Pedigree) error {
	if f.Plan.Fate(Keep) != Succeeds {
		return errPlanned
	}
	return f.Ports.Keep(p)
}

// Dump implements Dataplane.
func (f *Faulty) Dump(done func([]flow.Entry, error)) {
	if f.Plan.Fate(Dump) != Succeeds {
		done(nil, errPlanned)
		return
	}
	f.Ports.Dump(done)
}

// Walk implements Dataplane.
func (f *Faulty) Walk(done func([]flow.Held, bool, error)) {
	if f.Plan.Fate(Walk) != Succeeds {
		done(nil, false, errPlanned)
		return
	}
	f.Ports.Walk(done)
}

// Examine implements Dataplane.
func (f *Faulty) Examine(tuples []flow.Tuple) ([]flow.Held, error) {
	if f.Plan.Fate(Examine) != Succeeds {
		return nil, errPlanned
	}
	return f.Ports.Examine(tuples)
}

// SendReplies implements Dataplane. A reply that cannot be sent is lost.
func (f *Faulty) SendReplies(ids []uint64) error {
	if f.Plan.Fate(SendReplies) != Succeeds {
		f.Ports.DropReplies(ids)
		return errPlanned
	}
	return f.Ports.SendReplies(ids)
}

// Heal implements Dataplane.
func (f *Faulty) Heal(entries []flow.Entry, deletes []flow.Tuple, done func(error)) {
	if f.Plan.Fate(Heal) != Succeeds {
		done(errPlanned)
		return
	}
	f.Ports.Heal(entries, deletes, done)
}

// Merge implements Dataplane.
func (f *Faulty) Merge(entries []flow.Entry, done func(error)) {
	if f.Plan.Fate(Merge) != Succeeds {
		done(errPlanned)
		return
	}
	f.Ports.Merge(entries, done)
}

// Shares is a plan that lets a share of the calls fail, independently of each other.
type Shares struct {
	Share *[Calls]float64 // may change during a run
	// Halfway is the share of failed Apply calls that fail halfway.
	Halfway float64
	// Chance returns true with the given probability. It draws from the seed of the run.
	Chance func(share float64) bool
}

// Fate implements Plan. It draws nothing for a share of zero, so a call that cannot fail does
// not change the random numbers of the run.
func (s *Shares) Fate(c Call) Fate {
	switch share := s.Share[c]; {
	case share == 0 || !s.Chance(share):
		return Succeeds
	case c == Apply && s.Chance(s.Halfway):
		return FailsHalfway
	}
	return Fails
}
