package evidence

import (
	"slices"
	"testing"

	"baton/impl/clock"
	"baton/impl/trace"
)

func TestDamageIsClusteredByPausesAndFaults(t *testing.T) {
	at := func(s float64, e trace.Event) trace.Event { e.At = sec(s); return e }
	lost := trace.Event{Traffic: &trace.Traffic{Event: trace.TrafficLost}}
	begin := trace.Event{Fault: &trace.Fault{Phase: "begin"}}
	end := trace.Event{Fault: &trace.Fault{Phase: "receipt"}}
	for _, tt := range []struct {
		name   string
		events []trace.Event
		counts []int
		froms  []clock.Instant
	}{
		{"none", []trace.Event{at(1, begin)}, nil, nil},
		{"one without a pause", []trace.Event{at(1, lost), at(1.5, lost), at(2, lost)}, []int{3}, []clock.Instant{sec(1)}},
		{"a pause divides; the larger is first", []trace.Event{at(1, lost), at(1.501, lost), at(1.6, lost)}, []int{2, 1}, []clock.Instant{sec(1.501), sec(1)}},
		{"a fault divides", []trace.Event{at(1, lost), at(1.1, begin), at(1.2, lost), at(1.3, lost)}, []int{2, 1}, []clock.Instant{sec(1.2), sec(1)}},
		{"a receipt does not", []trace.Event{at(1, lost), at(1.1, end), at(1.2, lost)}, []int{2}, []clock.Instant{sec(1)}},
		{"as large: the earlier first", []trace.Event{at(1, lost), at(3, lost)}, []int{1, 1}, []clock.Instant{sec(1), sec(3)}},
	} {
		var onsets Onsets
		begun := map[clock.Instant]bool{}
		for _, e := range tt.events {
			if onsets.Begins(e) {
				begun[e.At] = true
			}
		}
		var counts []int
		var froms []clock.Instant
		for _, c := range Clusters(tt.events, IsDamage) {
			if !begun[c.From] {
				t.Errorf("%s: while it is recorded, no cluster begins at %v", tt.name, c.From)
			}
			counts, froms = append(counts, c.Count), append(froms, c.From)
			if c.First.At != c.From {
				t.Errorf("%s: a cluster from %v begins with an event at %v", tt.name, c.From, c.First.At)
			}
		}
		if len(begun) != len(froms) {
			t.Errorf("%s: while it is recorded, %d clusters begin, want %d", tt.name, len(begun), len(froms))
		}
		if !slices.Equal(counts, tt.counts) || !slices.Equal(froms, tt.froms) {
			t.Errorf("%s: %v from %v, want %v from %v", tt.name, counts, froms, tt.counts, tt.froms)
		}
	}
}

// Only the first clusters have evidence if the damage never ends.
func TestOnsetsAreLimited(t *testing.T) {
	var onsets Onsets
	begun := 0
	for i := range 100 {
		if onsets.Begins(trace.Event{At: sec(float64(i)), RST: &trace.RST{}}) {
			begun++
		}
	}
	if begun != FocusMost {
		t.Errorf("%d, want %d", begun, FocusMost)
	}
}

// Captured frames are judged some time after they were seen, so the later of two events may be recorded first.
func TestDamageThatIsToldAfterALaterFaultIsNotOfIt(t *testing.T) {
	var onsets Onsets
	reset := func(s float64) bool { return onsets.Begins(trace.Event{At: sec(s), RST: &trace.RST{}}) }
	began := []bool{
		reset(1),
		onsets.Begins(trace.Event{At: sec(1.2), Fault: &trace.Fault{Phase: "begin"}}),
		reset(1.1), // before the fault
		reset(1.3),
		reset(1.25), // the fault's cluster goes on
		reset(1.79), // within the pause after the latest
	}
	if want := []bool{true, false, false, true, false, false}; !slices.Equal(began, want) {
		t.Errorf("%v, want %v", began, want)
	}
}

func TestTheNearestInstant(t *testing.T) {
	instants := []clock.Instant{sec(1), sec(3), sec(7)}
	for to, want := range map[float64]int{0: 0, 2: 0, 2.1: 1, 5: 1, 9: 2} {
		if got := (Ask{Focus: []clock.Instant{sec(to), sec(7)}}).Nearest(instants); got != want {
			t.Errorf("%v s: %d, want %d", to, got, want)
		}
	}
}
