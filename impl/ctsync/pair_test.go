package ctsync

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// node is an engine with a dataplane: a map to which batches are applied and in
// which flows change.
type node struct {
	*Engine
	name  string
	flows map[flow.Tuple]flow.Entry
	batch []Batch      // handed out, not applied yet
	last  uint64       // ordinal of the step that was applied last
	fail  int          // number of next batches that fail halfway
	late  []flow.Event // events in the ring buffer, in order
}

func newNode(name string, incarnation uint64, cfg Config) *node {
	cfg.Incarnation = incarnation
	return &node{Engine: New(cfg), name: name, flows: map[flow.Tuple]flow.Entry{}}
}

// change sets or deletes a flow's entry in the dataplane. The event waits in the
// ring buffer.
func (n *node) change(entry flow.Entry, deleted bool) {
	if deleted {
		delete(n.flows, entry.Original)
	} else {
		n.flows[entry.Original] = entry
	}
	n.late = append(n.late, flow.Event{Entry: entry, Deleted: deleted})
}

// poll passes the events of the ring buffer to the engine.
func (n *node) poll(now clock.Instant) {
	n.Local(now, n.late)
	n.late = nil
}

// applyOne applies the oldest batch that was handed out, or half of it.
func (n *node) applyOne(now clock.Instant) {
	b := n.batch[0]
	n.batch = n.batch[1:]
	var err error
	if n.fail > 0 {
		n.fail--
		err = errors.New("map is full")
		b.Entries, b.Deletes = b.Entries[:len(b.Entries)/2], b.Deletes[:len(b.Deletes)/2]
	}
	// Deliberately in the wrong order: within a batch it must not matter.
	for _, entry := range b.Entries {
		n.flows[entry.Original] = entry
	}
	for _, t := range b.Deletes {
		delete(n.flows, t)
	}
	for _, s := range n.queue.steps {
		if s.ID == b.ID {
			n.last = s.ordinal
		}
	}
	n.Applied(now, b.ID, err)
}

// workOffers writes the offered entries whose tuples are free into the dataplane.
func (n *node) workOffers(now clock.Instant) (worked bool) {
	for {
		o, ok := n.Offered()
		if !ok {
			return worked
		}
		worked = true
		n.writeOffer(o)
		n.Worked(now, n.holds(o))
	}
}

// examineDoubted tells the engine what the dataplane holds of the doubted flows.
func (n *node) examineDoubted(now clock.Instant) (examined bool) {
	var held []flow.Event
	for _, t := range n.Doubted() {
		if e, ok := n.flows[t]; ok {
			held = append(held, flow.Event{Entry: e})
		}
		examined = true
	}
	n.Local(now, held)
	return examined
}

func (n *node) writeOffer(o Offer) {
	for _, entry := range o.Entries {
		_, taken := n.flows[entry.Original]
		for _, other := range n.flows {
			taken = taken || other.Reply == entry.Reply
		}
		if !taken {
			n.flows[entry.Original] = entry
		}
	}
}

// holds returns what the dataplane holds of an offer's flows.
func (n *node) holds(o Offer) (held []flow.Event) {
	for _, entry := range o.Entries {
		if e, ok := n.flows[entry.Original]; ok {
			held = append(held, flow.Event{Entry: e})
		}
	}
	return held
}

// between reports whether one part of a message is applied and the other is not.
func (n *node) between() bool {
	return len(n.queue.steps) > 0 && n.queue.steps[0].ordinal == n.last
}

// dump returns the dataplane's entries.
func (n *node) dump() []flow.Entry {
	list := slices.Collect(maps.Values(n.flows))
	slices.SortFunc(list, func(a, b flow.Entry) int { return a.Original.Compare(b.Original) })
	return list
}

// failer is the common part of testing.TB and rapid.T.
type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// pair is two nodes and the ordered stream between them.
type pair struct {
	t       failer
	now     clock.Instant
	a, b    *node
	up      bool
	version uint8    // of the streams
	ab, ba  [][]byte // in flight from a to b, from b to a
	onSend  func(from *node, msg []byte)
	onRecv  func(to *node, msg []byte)
}

func newPair(t failer, cfg Config) *pair { return newPairOf(t, cfg, Version) }

// newPairOf returns a pair that speaks a version of the protocol.
func newPairOf(t failer, cfg Config, version uint8) *pair {
	return &pair{t: t, now: 1, version: version, a: newNode("a", 0xa1, cfg), b: newNode("b", 0xb1, cfg)}
}

func (p *pair) other(n *node) *node {
	if n == p.a {
		return p.b
	}
	return p.a
}

// master makes one node source and the other sink.
func (p *pair) master(n *node, epoch uint32) {
	p.demote(p.other(n))
	p.promote(n, epoch)
}

func (p *pair) promote(n *node, epoch uint32) {
	n.SetSource(p.now, epoch)
	p.say(n)
}

func (p *pair) demote(n *node) {
	n.SetSink(p.now)
	p.say(n)
}

// connect begins a new stream; each node's state message comes first.
func (p *pair) connect() {
	p.up = true
	p.say(p.a)
	p.say(p.b)
}

func (p *pair) cut() {
	p.up = false
	p.ab, p.ba = nil, nil
	p.a.Disconnected(p.now, "cut")
	p.b.Disconnected(p.now, "cut")
}

// restart replaces a node by a new run of it, with or without its flows.
func (p *pair) restart(n *node, incarnation uint64, keep bool) {
	p.cut()
	fresh := newNode(n.name, incarnation, n.cfg)
	if keep {
		fresh.flows = n.flows
	}
	*n = *fresh
}

// typeState is the message by which a node reports its role. The engines do not
// receive it.
const typeState = 0x80

// say sends a node's state message, after the frames of its engine.
func (p *pair) say(n *node) {
	p.collect()
	if !p.up {
		return
	}
	msg := appendTerm([]byte{typeState}, term{n.cfg.Incarnation, n.pos.epoch})
	msg = appendBool(msg, n.source)
	if n == p.a {
		p.ab = append(p.ab, msg)
	} else {
		p.ba = append(p.ba, msg)
	}
}

// collect takes the effects of both engines.
func (p *pair) collect() {
	p.ab = p.take(p.a, p.ab)
	p.ba = p.take(p.b, p.ba)
}

func (p *pair) take(n *node, wire [][]byte) [][]byte {
	r := n.Ready()
	if due := n.Deadline(); len(r.Send)+len(r.Apply) == 0 && !n.busy && due <= n.now {
		p.t.Fatalf("%s: nothing to do at %v, and yet due at %v", n.name, n.now, due)
	}
	n.batch = append(n.batch, r.Apply...)
	if !p.up {
		return nil
	}
	for _, msg := range r.Send {
		if len(msg) > MaxMessage {
			p.t.Fatalf("%s sends %d bytes", n.name, len(msg))
		}
		if p.onSend != nil {
			p.onSend(n, msg)
		}
	}
	return append(wire, r.Send...)
}

// deliver moves one message to a node.
func (p *pair) deliver(to *node) bool {
	wire := &p.ab
	if to == p.a {
		wire = &p.ba
	}
	if len(*wire) == 0 {
		return false
	}
	msg := (*wire)[0]
	*wire = (*wire)[1:]
	if p.onRecv != nil {
		p.onRecv(to, msg)
	}
	if msg[0] == typeState {
		r := reader{rest: msg[1:]}
		peer, source := r.term(), r.bool()
		if err := to.Connected(p.now, p.version, peer.incarnation, source, peer.epoch); err != nil {
			p.t.Fatalf("%s: %v", to.name, err)
		}
		return true
	}
	if err := to.Receive(p.now, msg); err != nil {
		p.t.Fatalf("%s: %v", to.name, err)
	}
	return true
}

// run delivers and applies until nothing is due at this instant.
func (p *pair) run() {
	for range 1 << 20 {
		p.collect()
		moved := p.deliver(p.a)
		moved = p.deliver(p.b) || moved
		for _, n := range []*node{p.a, p.b} {
			if len(n.late) > 0 {
				n.poll(p.now)
				moved = true
			}
			for len(n.batch) > 0 {
				n.applyOne(p.now)
				moved = true
			}
			moved = n.workOffers(p.now) || moved
			moved = n.examineDoubted(p.now) || moved
			if n.Deadline() <= p.now {
				n.Advance(p.now)
				moved = true
			}
		}
		if !moved && len(p.ab)+len(p.ba) == 0 {
			return
		}
	}
	p.t.Fatal("the engines never come to rest")
}

// sleep advances the time by d and runs everything that becomes due.
func (p *pair) sleep(d time.Duration) {
	end := p.now.Add(d)
	for {
		p.run()
		next := min(p.a.Deadline(), p.b.Deadline())
		if next.After(end) {
			p.now = end
			return
		}
		p.now = next
		p.a.Advance(next)
		p.b.Advance(next)
	}
}

// told returns those of a source's flows that the streams' version can carry.
func (p *pair) told(flows map[flow.Tuple]flow.Entry) map[flow.Tuple]flow.Entry {
	told := maps.Clone(flows)
	maps.DeleteFunc(told, func(t flow.Tuple, e flow.Entry) bool { return carriedSince(&t, &e.Reply) > p.version })
	return told
}

// same fails unless the sink's dataplane holds the flows that the source sends and the mirrors agree.
func (p *pair) same() {
	p.t.Helper()
	source, sink := p.a, p.b
	if sink.source {
		source, sink = sink, source
	}
	if diff := difference(p.told(source.flows), sink.flows); diff != "" {
		p.t.Fatalf("dataplanes differ: %s", diff)
	}
	for _, n := range []*node{p.a, p.b} {
		if diff := difference(n.flows, n.mirror()); diff != "" {
			p.t.Fatalf("%s: mirror differs from dataplane: %s", n.name, diff)
		}
	}
	if source.table.told(p.version) != sink.table.all {
		p.t.Fatalf("digests differ on equal tables")
	}
}

func (n *node) mirror() map[flow.Tuple]flow.Entry {
	m := map[flow.Tuple]flow.Entry{}
	for id := uint32(1); id <= n.table.used; id++ {
		if s := n.table.at(id); !s.vacant() {
			c := s.change()
			m[s.original] = c.entry(s.origin)
		}
	}
	return m
}

// difference names one flow whose identity or state is not the same in both.
func difference(a, b map[flow.Tuple]flow.Entry) string {
	for t, x := range a {
		y, ok := b[t]
		if !ok {
			return fmt.Sprintf("%s only in the first (%d and %d)", t, len(a), len(b))
		}
		if x.Reply != y.Reply || x.State != y.State {
			return fmt.Sprintf("%s: %s %s and %s %s", t, x.Reply, x.State, y.Reply, y.State)
		}
	}
	for t := range b {
		if _, ok := a[t]; !ok {
			return fmt.Sprintf("%s only in the second (%d and %d)", t, len(a), len(b))
		}
	}
	return ""
}

// synced fails unless the sink is in sync and the source knows.
func (p *pair) synced(source *node) {
	p.t.Helper()
	if ok, why := p.other(source).InSync(); !ok {
		p.t.Fatalf("sink is not in sync: %s; %+v", why, p.other(source).Progress())
	}
	if !source.PeerInSync() {
		p.t.Fatalf("source does not know that the sink is in sync: %+v", source.Progress())
	}
	p.same()
}

// entryOf is the i-th flow of the tests, in a variant that differs in backend.
func entryOf(i int, state flow.State, backend byte) flow.Entry {
	src := flow.IPv4(10, byte(i>>28), byte(i>>20), byte(i>>12))
	port := uint16(20000 + i&0xfff)
	vip, snat := flow.IPv4(198, 18, 0, 100), flow.IPv4(198, 18, 1, 100)
	return flow.Entry{
		Original:  flow.Tuple{Src: src, Dst: vip, SrcPort: port, DstPort: 80, Proto: flow.TCP},
		Reply:     flow.Tuple{Src: flow.IPv4(198, 18, 1, backend), Dst: snat, SrcPort: 8080, DstPort: port, Proto: flow.TCP},
		State:     state,
		Origin:    flow.Opened,
		Remaining: 2 * time.Hour,
	}
}

// mixedOf is entryOf with every third flow over IPv6 and every fifth over SCTP. Every seventh flow,
// and with backend 12 every eleventh, has a backend of the other family.
func mixedOf(i int, state flow.State, backend byte) flow.Entry {
	e := entryOf(i, state, backend)
	if i%3 == 0 {
		asIPv6(&e)
	}
	if i%5 == 0 {
		e.Original.Proto, e.Reply.Proto = flow.SCTP, flow.SCTP
	}
	if i%7 == 0 || i%11 == 0 && backend == 12 {
		e.Reply = flow.DirectReply(e.Original, otherFamily(e.Reply.Src))
	}
	return e
}

// otherFamily returns the address of the other family with the same last bytes.
func otherFamily(a flow.Addr) flow.Addr {
	if !a.Is4() {
		return flow.IPv4From([4]byte(a[12:]))
	}
	copy(a[:], []byte{0x20, 0x01, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0})
	return a
}

// asIPv6 gives a flow IPv6 addresses with the same last bytes.
func asIPv6(e *flow.Entry) {
	for _, a := range []*flow.Addr{&e.Original.Src, &e.Original.Dst, &e.Reply.Src, &e.Reply.Dst} {
		copy(a[:], []byte{0x20, 0x01, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0})
	}
}

// fill opens flows from..to-1.
func (p *pair) fill(n *node, from, to int) {
	for i := from; i < to; i++ {
		n.change(entryOf(i, flow.Established, 11), false)
	}
}

// small is a configuration with small limits.
var small = Config{BatchEntries: 4, Window: 2, JournalLen: 64, Buckets: 64}

// inSyncPair returns a pair in sync with a number of flows; a is source in epoch 1.
func inSyncPair(t *testing.T, cfg Config, flows int) *pair {
	p := newPair(t, cfg)
	p.master(p.a, 1)
	p.fill(p.a, 0, flows)
	p.connect()
	p.run()
	p.synced(p.a)
	return p
}

// expect fails unless the sink's InSync has the given value and reason.
func expect(t *testing.T, e *Engine, want bool, why string) {
	t.Helper()
	if got, because := e.InSync(); got != want || !strings.Contains(because.String(), why) {
		t.Fatalf("InSync %v (%s), want %v (%s)", got, because, want, why)
	}
}
