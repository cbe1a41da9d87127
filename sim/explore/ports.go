package explore

import (
	"slices"

	"baton/impl/clock"
	"baton/impl/driver"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
)

// ports executes the effects of one side's core on the world.
type ports struct {
	w *world
	s *side
}

// ports returns the ports of a side. Their calls fail as chosen.
func (w *world) ports(side int) driver.Ports {
	s := &w.sides[side]
	return &driver.Faulty{Ports: ports{w, s}, Plan: fated{s}}
}

// fated is a side's fault plan: heartbeats fail while the side is blocked, and the pending call has
// the chosen fate.
type fated struct{ s *side }

// Fate implements driver.Plan.
func (f fated) Fate(c driver.Call) driver.Fate {
	if c != driver.SendBFD {
		return f.s.fate
	}
	if f.s.blocked {
		return driver.Fails
	}
	return driver.Succeeds
}

// Now implements driver.Clock.
func (p ports) Now() clock.Instant { return p.w.now }

// Takes implements driver.Clock: every effect with a result completes by a choice.
func (p ports) Takes(e node.Effect) bool { return writes(e) != "" }

// writes names an effect that completes by a choice, "" for any other.
func writes(e node.Effect) string {
	switch e := e.(type) {
	case node.Apply:
		return "the write of synced entries"
	case *node.Lease:
		if e.ID != 0 {
			return "the write of the lease"
		}
	case node.Drain:
		return "the drain of the dataplane"
	case node.Dump:
		return "the dump of the dataplane"
	}
	return ""
}

// SendBFD implements driver.Heartbeat.
func (p ports) SendBFD(path int, _ driver.Cast, data []byte) error {
	if !p.w.cut[p.s.index][path] {
		p.w.wire = append(p.w.wire, packet{to: 1 - p.s.index, path: path, data: slices.Clone(data)})
	}
	return nil
}

// SendSync implements driver.Stream.
func (p ports) SendSync(data []byte) {
	if s := p.s; s.stream != 0 {
		p.w.sent[s.index] = append(p.w.sent[s.index], frame{stream: s.stream, data: data, knows: epochIn(data)})
	}
}

// ResetStream implements driver.Stream.
func (p ports) ResetStream(string) { p.w.closeStream(p.s) }

// Apply implements driver.Dataplane.
func (p ports) Apply(entries []flow.Entry, deletes []flow.Tuple, done func(error)) {
	for i := range entries {
		p.s.table |= 1 << entries[i].Original.SrcPort
	}
	for _, tuple := range deletes {
		p.s.table &^= 1 << tuple.SrcPort
	}
	done(nil)
}

// Lease implements driver.Dataplane.
func (p ports) Lease(until clock.Instant) error {
	p.s.lease = until
	return nil
}

// SetMiss and the methods below implement driver.Dataplane. The walk has no packets, so nothing
// misses or is relayed.
func (p ports) SetMiss(bool) error             { return nil }
func (p ports) Relay(clock.Instant) error      { return nil }
func (p ports) PeerMAC(string, node.MAC) error { return nil }
func (p ports) Keep(flow.Pedigree) error       { return nil }

// Drain implements driver.Dataplane. There is nothing to drain: a flow's event is an input at once.
func (p ports) Drain(func([]flow.Event)) (bool, error) { return false, nil }

// Dump implements driver.Dataplane.
func (p ports) Dump(done func([]flow.Entry, error)) {
	var entries []flow.Entry
	for i := range p.w.flows {
		if p.s.table&(1<<i) != 0 {
			entries = append(entries, entry(i))
		}
	}
	done(entries, nil)
}

// Walk implements driver.Dataplane. The explored nodes do not scrub.
func (p ports) Walk(done func([]flow.Held, bool, error))           { done(nil, true, nil) }
func (p ports) Heal(_ []flow.Entry, _ []flow.Tuple, d func(error)) { d(nil) }

// Merge implements driver.Dataplane. No flow has the reply tuple of another.
func (p ports) Merge(entries []flow.Entry, done func(error)) { p.Apply(entries, nil, done) }

// Examine implements driver.Dataplane.
func (p ports) Examine(tuples []flow.Tuple) ([]flow.Held, error) {
	held := make([]flow.Held, len(tuples))
	for i, t := range tuples {
		found := p.s.table&(1<<t.SrcPort) != 0
		held[i] = flow.Held{Entry: flow.Entry{Original: t}, Found: found, Sound: found}
	}
	return held, nil
}

// Expire implements driver.Dataplane. Flows do not expire here.
func (p ports) Expire(bool, clock.Instant) {}

// SendReplies implements driver.Dataplane. No packets are forwarded here.
func (p ports) SendReplies([]uint64) error { return nil }
func (p ports) DropReplies([]uint64)       {}

// Announce implements driver.Announcer.
func (p ports) Announce(a node.Announce) error {
	p.w.checkAnnounce(p.s, a.Count)
	return nil
}

// Record implements driver.Recorder.
func (p ports) Record(e trace.Event) { p.w.observe(p.s, e) }

// Failed implements driver.Recorder. Failures are choices, so they need no record.
func (p ports) Failed(driver.Call, error) {}

// Exit implements driver.Process.
func (p ports) Exit() {
	p.s.lease = 0
	p.w.end(p.s)
}
