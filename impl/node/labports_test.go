package node_test

import (
	"errors"
	"maps"
	"slices"

	"baton/impl/arbiter"
	"baton/impl/clock"
	"baton/impl/driver"
	"baton/impl/flow"
	. "baton/impl/node"
	"baton/impl/trace"
)

// labPlan says which calls of a node fail.
type labPlan map[driver.Call]driver.Fate

func (p labPlan) Fate(c driver.Call) driver.Fate { return p[c] }

// labPorts executes the effects of a node in the lab.
type labPorts struct {
	l *lab
	n *labNode
}

func (p labPorts) Now() clock.Instant { return p.l.now }
func (p labPorts) Takes(Effect) bool  { return false }

func (p labPorts) SendBFD(path int, _ driver.Cast, packet []byte) error {
	l, n := p.l, p.n
	if n.unsent[path] {
		return errors.New("operation not permitted")
	}
	if n.full[path] {
		delete(n.full, path)
		return errors.New("no buffer space available")
	}
	if l.dropBFD[n.id+" "+n.cfg.Paths[path].Name] || l.lose != nil && l.lose(n, packet) {
		return nil
	}
	data := append([]byte(nil), packet...)
	l.after(labDelay+l.slow, n.peer, func(to *labNode) { l.step(to, Packet{Path: path, Data: data, TTL: 255, At: l.now}) })
	return nil
}

func (p labPorts) SendSync(data []byte) {
	l, id := p.l, p.n.stream
	if id == 0 || l.dropSync[p.n.id] || l.loseSync != nil && l.loseSync(p.n, data) {
		return
	}
	data = append([]byte(nil), data...)
	l.after(labDelay, p.n.peer, func(to *labNode) { l.step(to, Message{Stream: id, Data: data}) })
}

// Arbitrate answers after labArbiter, as a store that writes to disk does.
func (p labPorts) Arbitrate(q arbiter.Question) {
	l, n := p.l, p.n
	if l.remote[n.id] {
		return
	}
	l.after(labArbiter, "", func(*labNode) {
		a := l.arbiter.Do(q)
		l.after(labArbiter, n.id, func(to *labNode) {
			if !l.remote[to.id] {
				l.step(to, Arbitration{Answer: a})
			}
		})
	})
}

func (p labPorts) ResetStream(string) { p.l.dropStream(p.n) }

func (p labPorts) Apply(entries []flow.Entry, deletes []flow.Tuple, done func(error)) {
	for _, t := range deletes {
		delete(p.n.table, t)
	}
	for _, entry := range entries {
		p.n.table[entry.Original] = entry
	}
	done(nil)
}

func (p labPorts) Lease(until clock.Instant) error {
	if until <= p.l.now {
		once(&p.n.onRelease)
	}
	p.n.lease = until
	return nil
}

func (p labPorts) SetMiss(guess bool) error {
	p.n.guess = guess
	return nil
}

func (p labPorts) Drain(take func([]flow.Event)) (lost bool, err error) {
	if p.n.onDrain != nil {
		lost = p.n.onDrain(take)
	}
	return lost, nil
}

func (p labPorts) Dump(done func([]flow.Entry, error)) {
	var entries []flow.Entry
	for _, entry := range p.n.table {
		entries = append(entries, entry)
	}
	done(entries, nil)
}

// labWalk is the number of entries in a part of a walk.
const labWalk = 16

func (p labPorts) Walk(done func([]flow.Held, bool, error)) {
	n := p.n
	once(&n.onWalk)
	if len(n.walk) == 0 {
		n.walk = slices.SortedFunc(maps.Keys(n.table), flow.Tuple.Compare)
	}
	part := n.walk[:min(labWalk, len(n.walk))]
	n.walk = n.walk[len(part):]
	held := n.holds(part)
	done(slices.DeleteFunc(held, func(h flow.Held) bool { return !h.Found }), len(n.walk) == 0, nil)
}

// once calls a function once.
func once(f *func()) {
	if do := *f; do != nil {
		*f = nil
		do()
	}
}

func (p labPorts) Examine(tuples []flow.Tuple) ([]flow.Held, error) {
	once(&p.n.onExamine)
	return p.n.holds(tuples), nil
}

func (n *labNode) holds(tuples []flow.Tuple) []flow.Held {
	held := make([]flow.Held, len(tuples))
	for i, t := range tuples {
		e, found := n.table[t]
		e.Original = t
		held[i] = flow.Held{Entry: e, Found: found, Sound: found && !n.unsound[t]}
	}
	return held
}

func (p labPorts) Merge(entries []flow.Entry, done func(error)) {
	p.n.merges++
	for _, e := range entries {
		if _, found := p.n.table[e.Original]; !found && !p.n.taken[e.Reply] {
			p.n.table[e.Original] = e
		}
	}
	done(nil)
}

func (p labPorts) Heal(entries []flow.Entry, deletes []flow.Tuple, done func(error)) {
	n := p.n
	n.heals++
	for _, t := range deletes {
		if n.unsound[t] {
			delete(n.table, t)
			delete(n.unsound, t)
		}
	}
	for _, e := range entries {
		if _, found := n.table[e.Original]; (!found || n.unsound[e.Original]) && !n.taken[e.Reply] {
			n.table[e.Original] = e
			delete(n.unsound, e.Original)
		}
	}
	done(nil)
}

func (p labPorts) Follow(topic string, data []byte) {
	said := topic + "=" + string(data)
	if data == nil {
		said = withdrawn + topic
	}
	p.n.followed = append(p.n.followed, said)
}
func (p labPorts) Unfollow() { p.n.followed = append(p.n.followed, "unfollow") }

func (p labPorts) Keep(of flow.Pedigree) error {
	p.n.kept = of
	return nil
}

func (p labPorts) Relay(until clock.Instant) error {
	p.n.relay = until
	return nil
}

func (p labPorts) PeerMAC(link string, mac MAC) error {
	p.n.peerMACs[link] = mac
	return nil
}

func (p labPorts) SendReplies(ids []uint64) error {
	p.n.replied = append(p.n.replied, ids...)
	return nil
}
func (p labPorts) DropReplies(ids []uint64) { p.n.dropped = append(p.n.dropped, ids...) }

func (p labPorts) Expire(on bool, _ clock.Instant) { p.n.expire = on }
func (p labPorts) Announce(a Announce) error {
	p.n.announced = append(p.n.announced, a)
	return nil
}

func (p labPorts) Failed(driver.Call, error) {}

func (p labPorts) Record(e trace.Event) {
	if e.Lease != nil {
		lease := *e.Lease // the core reuses it
		e.Lease = &lease
	}
	p.l.log = append(p.l.log, e)
}

func (p labPorts) Exit() { p.n.exited, p.n.lease = true, 0 }
