package ctsync

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/flow"
)

// shuttle exchanges the messages of two engines until both are idle, applying
// every batch at once, and returns the number of bytes sent.
func shuttle(tb testing.TB, source, sink *Engine) int {
	bytes := 0
	for moved := true; moved; {
		moved = false
		for _, dir := range [2][2]*Engine{{source, sink}, {sink, source}} {
			r := dir[0].Ready()
			for _, b := range r.Apply {
				dir[0].Applied(1, b.ID, nil)
				moved = true
			}
			for _, msg := range r.Send {
				bytes += len(msg)
				moved = true
				if err := dir[1].Receive(1, msg); err != nil {
					tb.Fatal(err)
				}
			}
		}
	}
	return bytes
}

// engines returns a source that holds flows, not connected to its empty sink.
func engines(flows int) (source, sink *Engine) {
	source, sink = New(Config{Incarnation: 1}), New(Config{Incarnation: 2})
	source.SetSource(1, 1)
	events := make([]flow.Event, 0, 256)
	for i := range flows {
		if events = append(events, flow.Event{Entry: entryOf(i, flow.Established, 11)}); len(events) == 256 {
			source.Local(1, events)
			events = events[:0]
		}
	}
	source.Local(1, events)
	return source, sink
}

// A cpu is a stopwatch of the process's CPU time, which other processes disturb
// less than the wall clock.
type cpu struct {
	spent time.Duration
	since time.Duration
}

func (c *cpu) now(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (c *cpu) start(b *testing.B) { b.StartTimer(); c.since = c.now(b) }

func (c *cpu) stop(b *testing.B) { c.spent += c.now(b) - c.since; b.StopTimer() }

// report divides the time spent by the number of items that one iteration handles.
func (c *cpu) report(b *testing.B, items int, unit string) {
	b.ReportMetric(float64(c.spent.Nanoseconds())/float64(b.N)/float64(items), "cpu-ns/"+unit)
}

func join(source, sink *Engine) {
	source.Connected(1, Version, 2, false, 0)
	sink.Connected(1, Version, 1, true, 1)
}

// BenchmarkSnapshot measures the work of both nodes when a restored node fetches the table.
func BenchmarkSnapshot(b *testing.B) {
	for _, bench := range []struct {
		name  string
		flows int
	}{{"10k", 10_000}, {"100k", 100_000}, {"1M", 1_000_000}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			var used cpu
			bytes := 0
			for b.Loop() {
				b.StopTimer()
				source, sink := engines(bench.flows)
				used.start(b)
				join(source, sink)
				bytes = shuttle(b, source, sink)
				used.stop(b)
				if ok, why := sink.InSync(); !ok || sink.Len() != bench.flows {
					b.Fatal(why)
				}
				b.StartTimer()
			}
			used.report(b, bench.flows, "flow")
			b.ReportMetric(float64(bytes)/float64(bench.flows), "B/flow")
		})
	}
}

// live returns the two states of n flows between which the benchmarks change them.
func live(n int) (flows [2][]flow.Event) {
	for i := range n {
		flows[0] = append(flows[0], flow.Event{Entry: entryOf(i, flow.FinWait, 11)})
		flows[1] = append(flows[1], flow.Event{Entry: entryOf(i, flow.Established, 11)})
	}
	return flows
}

// BenchmarkDeltas measures the cost of one change with a million flows: at a source
// alone (mirror, journal, encode), and at both nodes (also decode, mirror, batch, ack).
func BenchmarkDeltas(b *testing.B) {
	const flows = 1_000_000
	events := live(1 << 16)
	source, sink := engines(flows)
	join(source, sink)
	shuttle(b, source, sink)
	step := func(i int) []flow.Event {
		list := events[i>>8&1]
		first := i & 0xff << 8
		return list[first : first+256]
	}
	b.Run("source", func(b *testing.B) {
		b.ReportAllocs()
		var used cpu
		used.start(b)
		for i := 0; b.Loop(); i++ {
			source.Local(1, step(i))
			source.Ready()
			source.feed.acked = source.pos.seq
		}
		used.stop(b)
		used.report(b, 256, "change")
	})
	source, sink = engines(flows)
	join(source, sink)
	shuttle(b, source, sink)
	b.Run("both", func(b *testing.B) {
		b.ReportAllocs()
		var used cpu
		used.start(b)
		for i := 0; b.Loop(); i++ {
			source.Local(1, step(i))
			shuttle(b, source, sink)
		}
		used.stop(b)
		used.report(b, 256, "change")
	})
}

// BenchmarkMemory reports the memory of a mirror of a million flows.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		source, _ := engines(1_000_000)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		runtime.KeepAlive(source)
	}
}

// BenchmarkDigest compares keeping the digests up to date with computing one anew.
func BenchmarkDigest(b *testing.B) {
	e, _ := engines(100_000)
	b.Run("kept", func(b *testing.B) {
		for b.Loop() {
			_ = e.Digest()
		}
	})
	b.Run("anew", func(b *testing.B) {
		for b.Loop() {
			var d digest
			for id := uint32(1); id <= e.table.used; id++ {
				s := e.table.at(id)
				d.count(e.table.entry(e.table.tuple(s.original), s.reply, s.state), plus)
			}
			if d != e.table.all {
				b.Fatal("digest kept wrong")
			}
		}
	})
}

// BenchmarkScrub measures the cost of a scrub per entry, with a million entries: the entry is
// compared with the dataplane's, and its bucket with the digest.
func BenchmarkScrub(b *testing.B) {
	const flows = 1_000_000
	source, _ := engines(flows)
	held := make([]flow.Held, flows)
	for i := range held {
		held[i] = flow.Held{Entry: entryOf(i*7919%flows, flow.Established, 11), Found: true, Sound: true}
	}
	var used cpu
	used.start(b)
	for b.Loop() {
		source.ScrubBegin()
		for i := range held {
			if i%scrubStep == 0 && source.ScrubMirror(1) != 0 {
				b.Fatal("an undamaged mirror is damaged")
			}
			if !source.Agrees(&held[i]) {
				b.Fatal("an undamaged entry is damaged")
			}
		}
		for last := false; !last; {
			var missing []flow.Tuple
			if missing, last = source.Unpassed(1); len(missing) > 0 {
				b.Fatal("an entry is missing")
			}
		}
	}
	used.stop(b)
	used.report(b, flows, "entry")
}
