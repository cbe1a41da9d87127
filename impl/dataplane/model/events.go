package model

import (
	"errors"
	"io"

	"baton/impl/flow"
)

// emit adds the event of a new entry or a new state.
func (d *Dataplane) emit(original flow.Tuple, c *conn) {
	if len(d.events) == d.host.MaxEvents {
		d.counters.EventsLost++
		return
	}
	d.events = append(d.events, flow.Event{Entry: d.fresh(&original, c)})
}

// Poll implements dataplane.Dataplane.
func (d *Dataplane) Poll(limit int, f func(flow.Event)) (more bool, err error) {
	n := min(limit, len(d.events))
	events := d.events[:n]
	d.events = d.events[n:]
	for _, e := range events {
		f(e)
	}
	return len(d.events) > 0, nil
}

// errWouldBlock is returned by Wait where the programs' Wait would block, since nothing
// happens in the model without a call.
var errWouldBlock = errors.New("dataplane model: wait: no event is pending")

// Wait implements dataplane.Dataplane, and never blocks.
func (d *Dataplane) Wait() error {
	switch {
	case d.closed:
		return io.EOF
	case len(d.events) == 0:
		return errWouldBlock
	}
	return nil
}
