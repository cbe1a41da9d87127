package capture

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/flow"
)

// The events must match the frames: which node forwarded how many, in which order.
func TestLaneEventsRetellTheFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		carriers := rapid.SliceOfN(rapid.SampledFrom([]string{"lb1", "lb2"}), 1, 200).Draw(t, "frames")
		l := forwarderTrack{edge: "clients", vip: "198.18.0.100"}
		var told []string
		at := clock.Instant(0)
		for _, node := range carriers {
			at++
			e, changed := l.carried(node, at)
			if !changed {
				continue
			}
			if e.Node != node || e.At != at {
				t.Fatalf("event %+v for a frame of %s at %d", e, node, at)
			}
			for range e.Forwarder.Frames {
				told = append(told, e.Forwarder.From)
			}
		}
		e, any := l.end()
		if !any || e.At != at || e.Forwarder.Last != at || e.Node != e.Forwarder.From {
			t.Fatalf("end at %d: %+v", at, e)
		}
		for range e.Forwarder.Frames {
			told = append(told, e.Forwarder.From)
		}
		if len(told) != len(carriers) {
			t.Fatalf("events tell of %d frames, there were %d", len(told), len(carriers))
		}
		for i := range told {
			if told[i] != carriers[i] {
				t.Fatalf("frame %d was carried by %s, events say %s", i, carriers[i], told[i])
			}
		}
	})
}

func TestLaneBoundsItsEvents(t *testing.T) {
	l := forwarderTrack{}
	events := 0
	for i := range 3 * maxChanges {
		if _, changed := l.carried([]string{"lb1", "lb2"}[i%2], clock.Instant(i)); changed {
			events++
		}
	}
	if events != maxChanges || l.changes != 3*maxChanges {
		t.Errorf("%d events of %d changes, want %d of %d", events, l.changes, maxChanges, 3*maxChanges)
	}
}

func TestFloodedCopiesAreOneFrame(t *testing.T) {
	rst := frame{kind: frameTCP, src: lb1MAC, tuple: webTuple, seq: 7, flags: tcpRST}
	other := rst
	other.seq = 8
	type sight struct {
		f    frame
		port int
		at   time.Duration
		copy bool
	}
	tests := map[string][]sight{
		"at three ports at once":             {{rst, 1, 0, false}, {rst, 2, 5000, true}, {rst, 3, 9000, true}},
		"again at the same port":             {{rst, 1, 0, false}, {rst, 1, 5000, false}},
		"again, and again flooded":           {{rst, 1, 0, false}, {rst, 2, 5000, true}, {rst, 1, 20000, false}, {rst, 2, 25000, true}},
		"later, at the port of a host moved": {{rst, 1, 0, false}, {rst, 2, 2 * time.Millisecond, false}},
		"another segment":                    {{rst, 1, 0, false}, {other, 2, 5000, false}},
	}
	for name, sights := range tests {
		var c flood
		for i, s := range sights {
			if got := c.copied(&s.f, s.port, clock.Instant(s.at)); got != s.copy {
				t.Errorf("%s: sight %d is a copy: %v, want %v", name, i, got, s.copy)
			}
		}
	}
}

func TestFloodForgets(t *testing.T) {
	var c flood
	for i := range 3 * maxMarks {
		c.copied(&frame{kind: frameNeighbours, senderIP: flow.IPv4(10, byte(i>>16), byte(i>>8), byte(i))}, 1, clock.Instant(i))
	}
	if len(c.seen) > maxMarks {
		t.Errorf("%d frames remembered, want at most %d", len(c.seen), maxMarks)
	}
}
