package faulty

import (
	"errors"
	"fmt"

	"baton/impl/flow"
)

// Damager is a dataplane of which the memory can be damaged.
type Damager interface {
	// Damage flips a bit of the reply tuple of one entry, and has the entry of another flow
	// vanish without a trace.
	Damage(altered, vanished flow.Tuple) error
}

// damage damages two entries of the table and returns what proves it.
func (d *Dataplane) damage() (seen, err error) {
	inner, ok := d.Dataplane.(Damager)
	if !ok {
		return nil, errors.New("dataplane: its memory cannot be damaged")
	}
	var of []flow.Tuple
	err = d.Dump(func(e flow.Entry) bool {
		if (e.State == flow.Established || e.State == flow.Assured) && !e.Original.IsAffinity() {
			of = append(of, e.Original)
		}
		return len(of) < 2
	})
	if err != nil {
		return nil, err
	}
	if len(of) < 2 {
		return nil, fmt.Errorf("dataplane: %d established flows, of which two are to be damaged", len(of))
	}
	if err := inner.Damage(of[0], of[1]); err != nil {
		return nil, err
	}
	return d.isDamaged(of)
}

// isDamaged proves that the entries are damaged.
func (d *Dataplane) isDamaged(tuples []flow.Tuple) (seen, err error) {
	held, err := d.Examine(tuples)
	for _, h := range held {
		if h.Sound {
			return nil, fmt.Errorf("dataplane: the entry of %s is not damaged", h.Original)
		}
		seen = errors.Join(seen, fmt.Errorf("%s: found %t, sound %t", h.Original, h.Found, h.Sound))
	}
	return seen, err
}
