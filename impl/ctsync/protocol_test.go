package ctsync

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"baton/impl/flow"
)

// A puppet is a source whose messages the test writes, with a real sink whose
// batches are applied at once.
type puppet struct {
	t    *testing.T
	sink *node
	term
	place
	rows uint32
}

func newPuppet(t *testing.T) *puppet {
	p := &puppet{t: t, sink: newNode("sink", 0xb1, small), term: term{0xa1, 3}}
	p.sink.Connected(1, Version, 0xa1, true, 3)
	p.begin()
	return p
}

// begin opens a snapshot as of change 0.
func (p *puppet) begin() {
	p.place, p.rows = place{epoch: p.epoch(), round: p.round + 1}, 0
	m := begin{term: p.term, nonce: p.sink.intake.hello.nonce, round: p.round, snapshot: true}
	p.must(m.encode(Version))
}

func (p *puppet) epoch() uint32 { return p.term.epoch }

// say gives the sink a message and applies the resulting batches.
func (p *puppet) say(msg []byte) error {
	err := p.sink.Receive(1, msg)
	for range 4 {
		r := p.sink.Ready()
		p.sink.batch = append(p.sink.batch, r.Apply...)
		p.sink.apply(1)
	}
	return err
}

func (p *puppet) must(msg []byte) {
	p.t.Helper()
	if err := p.say(msg); err != nil {
		p.t.Fatal(err)
	}
}

// delta returns a message of consecutive changes.
func (p *puppet) delta(first uint64, changes ...change) []byte {
	m := delta{place: p.place, first: first, head: first + uint64(len(changes)) - 1, count: len(changes)}
	return appendChanges(m.encode(Version), changes)
}

// snapshot returns a message of rows as of a change.
func (p *puppet) snapshot(seq uint64, changes ...change) []byte {
	p.rows++
	m := rows{place: p.place, index: p.rows, seq: seq, bucket: noBucket, count: len(changes)}
	return appendChanges(m.encode(Version), changes)
}

func appendChanges(msg []byte, changes []change) []byte {
	for i := range changes {
		msg = appendChange(msg, &changes[i])
	}
	return msg
}

// mark returns a mark that matches the sink's table.
func (p *puppet) mark() []byte {
	all := p.sink.table.all
	m := mark{place: p.place, seq: p.sink.pos.seq, rows: p.rows, entries: all.entries, sum: all.sum}
	return m.encode(Version)
}

func set(i int, state flow.State) change { return changeOf(entryOf(i, state, 11)) }
func del(i int) change                   { return change{original: entryOf(i, 0, 0).Original} }

// state returns the state of flow i in the sink's mirror, 0 if it has none.
func (p *puppet) state(i int) flow.State {
	entry, _ := p.sink.Lookup(entryOf(i, 0, 0).Original)
	return entry.State
}

// The newest version of a flow wins, whether it came by a row or by a delta.
func TestNewestVersionWins(t *testing.T) {
	p := newPuppet(t)
	p.must(p.snapshot(4, set(1, flow.Closed), set(2, flow.FinWait))) // as of change 4
	p.must(p.delta(1, set(1, flow.SynSent), del(2), set(1, flow.FinWait)))
	if p.state(1) != flow.Closed || p.state(2) != flow.FinWait {
		t.Errorf("older deltas overwrote rows: %s, %s", p.state(1), p.state(2))
	}
	p.must(p.delta(4, set(9, flow.SynSent), set(1, flow.SynSent), del(2)))
	if p.state(1) != flow.SynSent || p.state(2) != 0 {
		t.Errorf("newer deltas did not overwrite rows: %s, %s", p.state(1), p.state(2))
	}
	before := p.sink.flows[entryOf(1, 0, 0).Original]
	if err := p.say(p.snapshot(5, set(1, flow.Established), set(2, flow.Established))); err == nil {
		t.Error("rows older than the deltas were accepted")
	}
	if p.state(2) != 0 || p.sink.flows[entryOf(1, 0, 0).Original] != before {
		t.Error("an older row overwrote a delta or brought back a deleted flow")
	}
}

// Every entry of an earlier term is older than the first of the present one.
func TestEarlierTermIsOlder(t *testing.T) {
	p := newPuppet(t)
	p.must(p.delta(1, set(1, flow.Closed), set(2, flow.Closed), set(3, flow.Closed)))
	p.must(p.mark())
	expect(t, p.sink.Engine, true, "")
	p.sink.Connected(1, Version, 0xa2, true, 2) // the epoch number is even lower
	p.term = term{0xa2, 2}
	p.begin()
	p.must(p.snapshot(0, set(1, flow.SynSent)))
	p.must(p.delta(1, del(2)))
	if p.state(1) != flow.SynSent || p.state(2) != 0 || p.state(3) != flow.Closed {
		t.Errorf("states %s, %s, %s", p.state(1), p.state(2), p.state(3))
	}
	fresh := p.sink.table.fresh
	m := mark{place: p.place, seq: 1, rows: 1, entries: fresh.entries, sum: fresh.sum}
	p.must(m.encode(Version))
	expect(t, p.sink.Engine, true, "")
	if p.state(3) != 0 {
		t.Error("what the snapshot did not hold is still there")
	}
}

// A message of an earlier term or round is dropped and counted.
func TestOutdatedMessages(t *testing.T) {
	p := newPuppet(t)
	p.must(p.delta(1, set(1, flow.Established)))
	p.must(p.mark())
	old := p.place
	old.epoch--
	messages := map[string][]byte{
		"delta":                      (&delta{place: old, first: 2, head: 2, count: 1}).encode(Version),
		"rows":                       (&rows{place: old, index: 1, seq: 5, bucket: noBucket, count: 1}).encode(Version),
		"mark":                       (&mark{place: old}).encode(Version),
		"begin":                      (&begin{term: term{0xa1, 2}, nonce: 1, round: 9, snapshot: true}).encode(Version),
		"begin for an earlier hello": (&begin{term: p.term, nonce: 0, round: 9, snapshot: true}).encode(Version),
		"hello":                      testHello(nil),
		"ack":                        (&ack{place: p.place}).encode(Version),
		"need":                       (&need{p.place}).encode(Version),
		"repair":                     (&repair{p.place, []uint16{1}}).encode(Version),
		"buckets":                    encodeBuckets(Version, old, 1, nil),
	}
	row := set(7, flow.Established)
	messages["delta"] = appendChange(messages["delta"], &row)
	messages["rows"] = appendChange(messages["rows"], &row)
	for name, msg := range messages {
		before, table := p.sink.stats.Outdated, p.sink.Digest()
		if err := p.say(msg); err != nil || p.sink.stats.Outdated != before+1 || p.sink.Digest() != table {
			t.Errorf("%s: error %v, counted %d", name, err, p.sink.stats.Outdated-before)
		}
	}
	expect(t, p.sink.Engine, true, "")
	p.sink.Disconnected(2, "")
	if err := p.say(p.delta(2, row)); err != nil || p.state(7) != 0 {
		t.Error("a delta without a stream was accepted")
	}
}

// testHello is a hello of the sink 0xb1 to the source 0xa1 of epoch 1, changed by edit.
func testHello(edit func(*hello)) []byte {
	m := hello{
		incarnation: 0xb1, nonce: 77, want: term{0xa1, 1}, window: 8, batches: 2,
		buckets: uint16(small.Buckets), check: hasher{}.check(),
	}
	if edit != nil {
		edit(&m)
	}
	return m.encode(Version)
}

// A violation of the protocol is refused with a reason and changes nothing.
func TestViolationsAtTheSink(t *testing.T) {
	at := func(p *puppet, edit func(*place)) place {
		there := p.place
		edit(&there)
		return there
	}
	tests := []struct {
		name string
		msg  func(p *puppet) []byte
		want string
	}{
		{"nothing", func(p *puppet) []byte { return nil }, "length 0 < 2"},
		{"unknown type", func(p *puppet) []byte { return []byte{0x7f, 1} }, "no such message type: 0x7f"},
		{"another version", func(p *puppet) []byte { return (&mark{place: p.place}).encode(VersionMin) }, "mark: protocol version 1 on a stream of version 8"},
		{"too long", func(p *puppet) []byte { return append(p.mark(), make([]byte, MaxMessage)...) }, "length"},
		{"short", func(p *puppet) []byte { m := p.mark(); return m[:len(m)-1] }, "mark: 1 bytes missing"},
		{"long", func(p *puppet) []byte { return append(p.mark(), 0) }, "mark: 1 bytes too many"},
		{"later round", func(p *puppet) []byte {
			return (&mark{place: at(p, func(x *place) { x.round++ })}).encode(Version)
		}, "epoch 3 round 2, not begun"},
		{"earlier round", func(p *puppet) []byte {
			return (&mark{place: at(p, func(x *place) { x.round-- })}).encode(Version)
		}, "epoch 3 round 0, not begun"},
		{"later epoch", func(p *puppet) []byte {
			return (&mark{place: at(p, func(x *place) { x.epoch++ })}).encode(Version)
		}, "epoch 4 round 1, not begun"},
		{"gap", func(p *puppet) []byte { return p.delta(4, set(5, flow.Closed)) }, "delta: change 4, expected 3"},
		{"repetition", func(p *puppet) []byte { return p.delta(2, set(5, flow.Closed)) }, "delta: change 2, expected 3"},
		{"no changes", func(p *puppet) []byte { return p.delta(3) }, "no changes"},
		{"bad state", func(p *puppet) []byte { return p.delta(3, set(5, 61)) }, "no such flow state: 61"},
		{"bad state behind good ones", func(p *puppet) []byte {
			return p.delta(3, set(5, flow.Closed), set(6, 9))
		}, "no such flow state: 9"},
		{"deleted row", func(p *puppet) []byte { return p.snapshot(5, del(3)) }, "rows: 1 items of 31 bytes in 14"},
		{"not balanced", func(p *puppet) []byte {
			c := set(5, flow.Closed)
			c.original.Proto, c.reply.Proto = 1, 1
			return p.delta(3, c)
		}, "proto1 is not balanced"},
		{"two protocols", func(p *puppet) []byte {
			c := set(5, flow.Closed)
			c.reply.Proto = flow.UDP
			return p.delta(3, c)
		}, "replies by"},
		{"changes beyond the head", func(p *puppet) []byte {
			m := delta{place: p.place, first: 3, head: 3, count: 2}
			return appendChanges(m.encode(Version), []change{set(1, 1), set(2, 1)})
		}, "changes 3 to 4 of 3"},
		{"sequence wraps", func(p *puppet) []byte {
			m := delta{place: p.place, first: math.MaxUint64, head: math.MaxUint64, count: 2}
			return appendChanges(m.encode(Version), []change{set(1, 1), set(2, 1)})
		}, "changes"},
		{"count beyond the frame", func(p *puppet) []byte {
			return (&delta{place: p.place, first: 3, head: 900, count: 600}).encode(Version)
		}, "600 items of 14 bytes in 0"},
		{"count beyond the limit", func(p *puppet) []byte {
			return (&delta{place: p.place, first: 3, head: 9000, count: maxBatch + 1}).encode(Version)
		}, "1025 items, more than 1024"},
		{"rows out of order", func(p *puppet) []byte {
			p.rows++
			return p.snapshot(5, set(1, flow.Closed))
		}, "rows: rows 3, expected 2"},
		{"rows of the past", func(p *puppet) []byte { return p.snapshot(1, set(1, flow.Closed)) }, "as of change 1, after change 2"},
		{"no rows", func(p *puppet) []byte { return p.snapshot(2) }, "rows"},
		{"bucket that nobody wants", func(p *puppet) []byte {
			return (&rows{place: p.place, index: 2, seq: 2, bucket: 3, first: true, last: true}).encode(Version)
		}, "of bucket 3, which is not asked for"},
		{"mark of the future", func(p *puppet) []byte {
			return (&mark{place: p.place, seq: 3, rows: 1}).encode(Version)
		}, "at change 3, after change 2"},
		{"mark with rows missing", func(p *puppet) []byte {
			return (&mark{place: p.place, seq: 2, rows: 2}).encode(Version)
		}, "after rows 2, of which 1 came"},
		{"digests that nobody asked for", func(p *puppet) []byte {
			return encodeBuckets(Version, p.place, 2, p.sink.table.buckets)
		}, "nobody asked"},
		{"resumption that nobody asked for", func(p *puppet) []byte {
			return (&begin{term: p.term, nonce: 1, round: 2, from: position{p.term, 2}, seq: 2, head: 2}).encode(Version)
		}, "resumption from"},
		{"resumption from nothing", func(p *puppet) []byte {
			return (&begin{term: p.term, nonce: 1, round: 2}).encode(Version)
		}, "a resumption from nothing"},
		{"round that begins in the future", func(p *puppet) []byte {
			return (&begin{term: p.term, nonce: 1, round: 2, snapshot: true, seq: 5, head: 4}).encode(Version)
		}, "begins at 5, after the last change 4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPuppet(t)
			p.must(p.snapshot(0, set(1, flow.Established), set(3, flow.Established)))
			p.must(p.delta(1, set(2, flow.Established), set(4, flow.Established)))
			refused(t, p.sink.Engine, test.msg(p), test.want)
		})
	}
}

// refused fails unless the engine refuses the message for that reason and stays
// unchanged.
func refused(t *testing.T, e *Engine, msg []byte, want string) {
	t.Helper()
	before, violations := snapshotOf(e), e.stats.Violations
	err := e.Receive(1, msg)
	if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "ctsync: receive ") {
		t.Errorf("error %v, want %q", err, want)
	}
	if after := snapshotOf(e); after != before {
		t.Errorf("refused, but changed\nfrom %s\nto   %s", before, after)
	}
	if e.stats.Violations != violations+1 {
		t.Error("not counted")
	}
}

// snapshotOf returns an engine's whole state except its counters.
func snapshotOf(e *Engine) string {
	return fmt.Sprintf("%+v %+v %+v %+v %+v %+v %+v %+v %d %d %d", e.table.all, e.table.fresh, e.table.gen, e.pos, e.base,
		e.feed, e.intake, e.peer, e.queue.ordinal, len(e.queue.steps), len(e.out.Apply)+len(e.out.Send))
}

func TestViolationsAtTheSource(t *testing.T) {
	tests := []struct {
		name string
		msg  func(place) []byte
		want string
	}{
		{"other buckets", func(place) []byte { return testHello(func(m *hello) { m.buckets = 128 }) },
			"hello: the peer has 128 digest buckets, this node 64"},
		{"buckets that cannot be", func(place) []byte { return testHello(func(m *hello) { m.buckets = 65 }) }, "65 buckets"},
		{"other key", func(place) []byte { return testHello(func(m *hello) { m.check++ }) }, "the peer hashes with another key"},
		{"no window", func(place) []byte { return testHello(func(m *hello) { m.batches = 0 }) }, "a window of nothing"},
		{"applied more than it has", func(place) []byte { return testHello(func(m *hello) { m.applied = 1 }) }, "applied 1 of 0"},
		{"ack of what was not sent", func(p place) []byte { return (&ack{place: p, seq: 41, rows: 10}).encode(Version) }, "change 41 and rows 10, of 40 and 10 sent"},
		{"ack of rows that were not sent", func(p place) []byte { return (&ack{place: p, seq: 40, rows: 11}).encode(Version) }, "of 40 and 10 sent"},
		{"ack goes back", func(p place) []byte { return (&ack{place: p, seq: 39, rows: 10}).encode(Version) }, "change 39 and rows 10, after 40 and 10"},
		{"neither true nor false", func(p place) []byte {
			msg := (&ack{place: p, seq: 40, rows: 10}).encode(Version)
			msg[len(msg)-1] = 2
			return msg
		}, "flag 2 is neither 0 nor 1"},
		{"repair of nothing", func(p place) []byte { return (&repair{place: p}).encode(Version) }, "no buckets"},
		{"repair of no bucket", func(p place) []byte { return (&repair{p, []uint16{3, 64}}).encode(Version) }, "bucket 64 of 64"},
		{"repair out of order", func(p place) []byte { return (&repair{p, []uint16{3, 3}}).encode(Version) }, "bucket 3 is out of order"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := inSyncPair(t, small, 40)
			refused(t, p.a.Engine, test.msg(p.a.feed.place), test.want)
		})
	}
	t.Run("before the round is closed", func(t *testing.T) {
		p := newPair(t, small)
		p.master(p.a, 1)
		p.fill(p.a, 0, 40)
		p.run()
		p.a.Connected(1, Version, 0xb1, false, 0)
		if err := p.a.Receive(1, testHello(nil)); err != nil {
			t.Fatal(err)
		}
		p.a.Ready()
		refused(t, p.a.Engine, (&need{p.a.feed.place}).encode(Version), "before the round was closed")
		refused(t, p.a.Engine, (&repair{p.a.feed.place, []uint16{1}}).encode(Version), "while rows are being sent")
	})
}

// A source that ignores the window is stopped.
func TestWindowIsEnforced(t *testing.T) {
	p := newPuppet(t)
	window := uint64(small.Window * small.BatchEntries)
	for seq := range window {
		if err := p.sink.Receive(1, p.delta(seq+1, set(int(seq), flow.Established))); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, p.sink.Engine, p.delta(window+1, set(99, flow.Established)), "outside the window: 0 applied, 8 allowed")
	for range small.Window + rowsSlack {
		if err := p.sink.Receive(1, p.snapshot(99, set(1, flow.Established))); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, p.sink.Engine, p.snapshot(99, set(1, flow.Established)), "are outside the window: 0 applied, 2 allowed")
}

// A hello that is repeated is answered once; a lost answer is asked for again.
func TestHelloIsRepeated(t *testing.T) {
	p := newPair(t, small)
	p.master(p.a, 1)
	p.b.Connected(1, Version, 0xa1, true, 1)
	first := p.b.Ready().Send
	p.b.Advance(p.b.Deadline())
	second := p.b.Ready().Send
	if len(first) != 1 || len(second) != 1 || string(first[0]) != string(second[0]) {
		t.Fatalf("%d and %d messages, want the same hello twice", len(first), len(second))
	}
	p.a.Connected(1, Version, 0xb1, false, 0)
	for _, msg := range append(first, second...) {
		if err := p.a.Receive(1, msg); err != nil {
			t.Fatal(err)
		}
	}
	if p.a.stats.Snapshots != 1 || p.a.stats.Outdated != 1 {
		t.Errorf("%+v", p.a.stats)
	}
}
