package daemon

import (
	"baton/impl/arbiter"
	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/driver"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
)

// ports implements the driver's ports: the kernel's dataplane, the sockets and the sync
// stream.
type ports loop

// Now implements driver.Clock.
func (p *ports) Now() clock.Instant { return p.now() }

// Takes implements driver.Clock: no effect blocks the heartbeat.
func (p *ports) Takes(node.Effect) bool { return false }

// Lease implements driver.Dataplane.
func (p *ports) Lease(until clock.Instant) error { return p.dp.Lease(until) }

// Apply implements driver.Dataplane.
func (p *ports) Apply(entries []flow.Entry, deletes []flow.Tuple, done func(error)) {
	p.scans.apply((*loop)(p), write{entries: entries, deletes: deletes, done: done})
}

// Heal implements driver.Dataplane.
func (p *ports) Heal(entries []flow.Entry, deletes []flow.Tuple, done func(error)) {
	p.scans.apply((*loop)(p), write{entries: entries, deletes: deletes, heals: true, done: done})
}

// Merge implements driver.Dataplane.
func (p *ports) Merge(entries []flow.Entry, done func(error)) {
	p.scans.apply((*loop)(p), write{entries: entries, merges: true, done: done})
}

// Relay implements driver.Dataplane.
func (p *ports) Relay(until clock.Instant) error { return p.dp.Relay(until) }

// PeerMAC implements driver.Dataplane.
func (p *ports) PeerMAC(link string, mac node.MAC) error { return p.dp.SetPeerMAC(link, mac) }

// SetMiss implements driver.Dataplane.
func (p *ports) SetMiss(guess bool) error {
	if guess {
		return p.dp.SetMiss(dataplane.MissGuess)
	}
	return p.dp.SetMiss(dataplane.MissAdopt)
}

// Drain implements driver.Dataplane.
func (p *ports) Drain(take func([]flow.Event)) (lost bool, err error) {
	l := (*loop)(p)
	if _, err := l.readEvents(dataplane.AllPending, take); err != nil {
		return false, err
	}
	counters, err := l.dp.Counters()
	if err != nil {
		return false, err
	}
	return l.lostEvents(counters), nil
}

// Dump implements driver.Dataplane.
func (p *ports) Dump(done func([]flow.Entry, error)) { p.scans.dump((*loop)(p), done) }

// Walk implements driver.Dataplane.
func (p *ports) Walk(done func([]flow.Held, bool, error)) { p.scans.walk((*loop)(p), done) }

// Examine implements driver.Dataplane.
func (p *ports) Examine(tuples []flow.Tuple) ([]flow.Held, error) { return p.dp.Examine(tuples) }

// Expire implements driver.Dataplane.
func (p *ports) Expire(on bool, since clock.Instant) { p.scans.expire(on, since) }

// Keep implements driver.Dataplane.
func (p *ports) Keep(of flow.Pedigree) error { return p.dp.Keep(of) }

// SendReplies implements driver.Dataplane.
func (p *ports) SendReplies(ids []uint64) error { return p.dp.Release(ids) }

// DropReplies implements driver.Dataplane.
func (p *ports) DropReplies(ids []uint64) { p.dp.Discard(ids) }

// SendBFD implements driver.Heartbeat.
func (p *ports) SendBFD(path int, to driver.Cast, packet []byte) error {
	return p.paths[path].send(p.log, to, packet)
}

// Announce implements driver.Announcer.
func (p *ports) Announce(a node.Announce) error { return p.out.announce(a.First, a.VIPs) }

// SendSync implements driver.Stream.
func (p *ports) SendSync(frame []byte) { p.out.send(p.stream, frame) }

// ResetStream implements driver.Stream.
func (p *ports) ResetStream(why string) { p.out.reset(p.stream, why) }

// Record implements driver.Recorder.
func (p *ports) Record(e trace.Event) {
	if role := e.Role; role != nil && role.Refused != "" {
		p.refused = role.Reason
	}
	if session := e.BFD; session != nil && session.From == bfd.Down.String() && p.out.heard != nil {
		p.out.heard()
	}
	p.recorder.Event(e)
}

// Failed implements driver.Recorder. A path logs its own failures, since each heartbeat
// repeats them.
func (p *ports) Failed(call driver.Call, err error) {
	if call == driver.SendBFD {
		p.failures.add(call.String())
		return
	}
	(*loop)(p).fail(call.String(), "dataplane or network call failed", err)
}

// Exit implements driver.Process.
func (p *ports) Exit() { p.ended = true }

// maxEvents is the maximum number of flow events in one input.
const maxEvents = 256

// pollEvents steps pending flow events, at most one input of them, and reports whether more
// are pending. Events that could not be read may be lost.
func (l *loop) pollEvents() (more bool, err error) {
	return l.readEvents(maxEvents, l.driver.Flows)
}

// readAwaited reads the events that clients wait for, one input at a time. They do not wait
// for watchEvents.
func (l *loop) readAwaited() {
	if more, err := l.pollEvents(); more && err == nil {
		l.inbox.call(l.readAwaited)
	}
}

// readEvents passes at most limit pending flow events to take and reports whether more are
// pending. An event that could not be read is lost.
func (l *loop) readEvents(limit int, take func([]flow.Event)) (more bool, err error) {
	var batch []flow.Event
	hand := func() {
		if len(batch) > 0 {
			take(batch)
			batch = nil
		}
	}
	more, err = l.dp.Poll(limit, func(e flow.Event) {
		if len(batch) == maxEvents {
			hand()
		}
		batch = append(batch, e)
		l.out.client(e.Entry.Original.Src)
	})
	hand()
	if err != nil {
		l.fail("poll", "flow events not read: the table is read again", err)
		l.inbox.post(node.Lost{})
	}
	return more, err
}

// lostEvents reports whether the dataplane has dropped flow events since the last call.
func (l *loop) lostEvents(c dataplane.Counters) bool {
	if c.EventsLost <= l.lost {
		return false
	}
	l.log.Warn("flow events lost: the table is read again", "lost", c.EventsLost-l.lost)
	l.lost = c.EventsLost
	return true
}

// Arbitrate implements driver.Arbiter.
func (p *ports) Arbitrate(q arbiter.Question) { p.out.arbitrate(q) }
