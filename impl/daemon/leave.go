package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"baton/impl/daemon/config"
	"baton/impl/flow"
	"baton/impl/node"
)

// writeBackends writes the services after each change of the backends that get new flows,
// and then moves flows off the others.
func (d *daemon) writeBackends(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.balancer.dirty:
		}
		list, err := d.balancer.flush(func() error { return d.rewrite(ctx) })
		switch {
		case errors.Is(err, errEnded):
			return
		case err != nil:
			d.loop.fail(callServices, "backends not written: new flows still go to the previous ones", err)
			pause(ctx, rewriteAfter)
			set(d.balancer.dirty)
		case len(list) > 0:
			d.loop.inbox.call(func() {
				services := d.loop.unserved.services
				d.loop.scans.leave(d.loop, func(e flow.Entry) bool { return leaves(services.Of(&e.Original), e, list) })
			})
		}
	}
}

// rewriteAfter is the delay before a failed write of services is repeated.
const rewriteAfter = time.Second

// rewrite writes the configured services with the backends that get new flows.
func (d *daemon) rewrite(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	return d.setServices(ctx, d.running)
}

// leaves reports whether a flow of a service moves off its backend: a UDP flow if its service says so,
// or a connection that is not established, whose next SYN may go to another backend.
func leaves(of flow.Service, e flow.Entry, list []leaving) bool {
	return slices.ContainsFunc(list, func(l leaving) bool {
		s := l.service.Dataplane()
		is := s.BackendOf(&e.Reply)
		return of == s.Service && is.Addr.WithPort(is.Port) == l.backend &&
			(e.State == flow.SynSent || e.Original.Proto == flow.UDP && l.service.Check.OnDown == config.OnDownMove)
	})
}

// leave deletes the entries of flows that leave their backend; their next packet selects
// another. Only the forwarding node calls it. It restarts after an interruption.
func (s *scans) leave(l *loop, leaves func(flow.Entry) bool) {
	s.queue(l, func() func() {
		var entries []flow.Entry
		err := s.read(l, func(e flow.Entry) {
			if leaves(e) {
				entries = append(entries, e)
			}
		})
		return func() {
			switch {
			case errors.Is(err, errInterrupted):
				s.next = append(s.next, func() { s.leave(l, leaves) })
			case err != nil:
				l.fail("dump", "flows stay on backends that are down or drained", err)
			default:
				l.remove(entries, leaves)
			}
		}
	})
}

// remove deletes the entries that still must leave, and tells the core.
func (l *loop) remove(entries []flow.Entry, leaves func(flow.Entry) bool) {
	if len(entries) == 0 || !l.mayForward() {
		return
	}
	batch := entries[:min(len(entries), maxEvents)]
	var tuples []flow.Tuple
	var removed []flow.Entry
	for _, e := range batch {
		now, found, err := l.dp.Lookup(e.Original)
		if err == nil && found && leaves(now) {
			tuples = append(tuples, e.Original)
			removed = append(removed, now)
		}
	}
	if err := l.dp.Delete(tuples); err != nil {
		l.fail("delete", "flows stay on backends that are down or drained: the table is read again", err)
		l.inbox.post(node.Lost{})
		return
	}
	if len(removed) > 0 {
		l.tellRemoved(removed)
		l.log.Info("flows moved off backends that are down or drained", "flows", len(removed))
	}
	if rest := entries[len(batch):]; len(rest) > 0 {
		l.inbox.call(func() { l.remove(rest, leaves) })
	}
}

// tellRemoved tells the core of removed entries once the core knows every earlier event.
func (l *loop) tellRemoved(removed []flow.Entry) {
	if !l.tellGone(removed) {
		l.inbox.call(func() { l.tellRemoved(removed) })
	}
}

// tellGone tells the core which of the removed entries are gone. Events from before the removal would
// bring them back, so it reads these first; if there are too many, it returns false and must be called
// again. An entry that a packet has opened anew is not gone.
func (l *loop) tellGone(removed []flow.Entry) bool {
	if more, err := l.readEvents(maxEvents, l.driver.Flows); more && err == nil {
		return false
	}
	var events []flow.Event
	for _, e := range removed {
		_, found, err := l.dp.Lookup(e.Original)
		switch {
		case err != nil:
			l.fail("lookup", "removed flow not reported: the table is read again", err)
			l.inbox.post(node.Lost{})
		case !found:
			events = append(events, flow.Event{Entry: e, Deleted: true})
		}
	}
	if len(events) > 0 {
		l.driver.Flows(events)
	}
	return true
}
