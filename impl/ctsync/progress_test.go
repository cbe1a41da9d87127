package ctsync

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// TestTheRateIsThatOfTheLastWholePeriod: before the first has ended, the rate is that since the beginning.
func TestTheRateIsThatOfTheLastWholePeriod(t *testing.T) {
	var m meter
	at := func(d time.Duration) clock.Instant { return clock.Instant(5).Add(d) }
	m.begin(at(0))
	m.count(at(100*time.Millisecond), 30)
	if got := m.rate(at(200 * time.Millisecond)); got != 150 {
		t.Errorf("%v a second after 200 ms, want 150", got)
	}
	m.count(at(900*time.Millisecond), 70)
	m.count(at(2*meterPeriod), 7) // ends a period of two seconds
	for _, d := range []time.Duration{0, meterPeriod / 2} {
		if got := m.rate(at(2*meterPeriod + d)); got != 50 {
			t.Errorf("%v a second %v after the period, want 50", got, d)
		}
	}
	if got := m.rate(at(3 * meterPeriod)); got != 7 {
		t.Errorf("%v a second in the second period, want 7", got)
	}
}

// TestEachStreamIsTimedByItself: at both ends.
func TestEachStreamIsTimedByItself(t *testing.T) {
	p := newPair(t, small)
	p.master(p.a, 1)
	p.fill(p.a, 0, 20)
	for _, took := range []time.Duration{time.Second, 3 * time.Second, 2 * time.Second} {
		p.connect()
		p.deliver(p.a) // the stream is up
		p.deliver(p.b)
		p.now = p.now.Add(took)
		p.run()
		p.synced(p.a)
		p.now = p.now.Add(time.Second)
		p.a.change(entryOf(1000, flow.Established, 11), false) // a change after that does not count
		p.run()
		for _, n := range []*node{p.a, p.b} {
			if got := n.Progress().Took; got != took {
				t.Errorf("%s: in sync %v after the stream began, want %v", n.name, got, took)
			}
		}
		p.cut()
	}
}
