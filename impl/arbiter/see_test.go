package arbiter

import (
	"testing"
	"time"

	"baton/impl/clock"
)

// TestWhatANodeMakesOfARecord: for each record that lb1 may read, what it then asks of the store, and
// whether it may act alone meanwhile.
func TestWhatANodeMakesOfARecord(t *testing.T) {
	const now = clock.Instant(10 * time.Second)
	type asks struct {
		record Record // that it writes
		holds  bool
		denied bool
	}
	var (
		needs    = func(m *Machine) { m.wants, m.used = true, true }
		unneeded = func(*Machine) {}
		returned = func(m *Machine) { m.used = true }
		holds    = func(m *Machine) { needs(m); m.held, m.until, m.revision = true, now+1, 7 }
		expired  = func(m *Machine) { holds(m); m.until = now }
		regains  = func(m *Machine) { holds(m); m.held = false }
		began    = func(ago time.Duration, of func(*Machine)) func(*Machine) {
			return func(m *Machine) { of(m); m.id, m.began = 1, now.Add(-ago) }
		}
		since = func(ago time.Duration, of func(*Machine)) func(*Machine) {
			return func(m *Machine) { of(m); m.challenged = now.Add(-ago) }
		}
	)
	for _, test := range []struct {
		name     string
		is       func(*Machine)
		record   Record
		revision uint64
		want     *asks // nil if it asks nothing
		next     time.Duration
	}{
		{"no record: the peer may have a right from a deleted one", needs, Record{}, 0, &asks{record: Record{Challenger: "lb1"}}, 0},
		{"no record, and this node's right holds", holds, Record{}, 0, &asks{record: Record{Alone: "lb1"}, holds: true}, 0},
		{"no record, and this node's right has just ended", expired, Record{}, 0, &asks{record: Record{Challenger: "lb1"}}, 0},
		{"no record, and this node has returned its right", regains, Record{}, 0, &asks{record: Record{Challenger: "lb1"}}, 0},
		{"nobody acts alone", needs, Record{}, 7, &asks{record: Record{Alone: "lb1"}}, 0},
		{"nobody acts alone any more", holds, Record{}, 8, &asks{record: Record{Alone: "lb1"}}, 0},
		{"the right is needed no more", returned, Record{Alone: "lb1"}, 7, &asks{}, 0},
		{"a right that an earlier process may hold", unneeded, Record{Alone: "lb1"}, 7, nil, validity},
		{"the same, shortly before it must have ended", began(validity-1, unneeded), Record{Alone: "lb1"}, 7, nil, validity},
		{"a right that an earlier process has left", began(validity, unneeded), Record{Alone: "lb1"}, 7, &asks{}, 0},
		{"the peer acts alone, as it should", unneeded, Record{Alone: "lb2"}, 7, nil, validity},
		{"the peer acts alone", needs, Record{Alone: "lb2"}, 7, &asks{record: Record{Alone: "lb2", Challenger: "lb1"}, denied: true}, 0},
		{"the peer has taken the right", holds, Record{Alone: "lb2"}, 8, &asks{record: Record{Alone: "lb2", Challenger: "lb1"}, denied: true}, 0},
		{"the peer has not answered this node's challenge yet, of which this node does not know since when it stands",
			needs, Record{Alone: "lb2", Challenger: "lb1"}, 7, &asks{record: Record{Alone: "lb2", Challenger: "lb1"}, denied: true}, 0},
		{"the peer challenges this node's right", holds, Record{Alone: "lb1", Challenger: "lb2"}, 8, &asks{record: Record{Alone: "lb1"}, holds: true}, 0},
		{"the right goes on", holds, Record{Alone: "lb1"}, 7, nil, validity / asksPerValidity},
		{"the right of an earlier process", needs, Record{Alone: "lb1"}, 7, &asks{record: Record{Alone: "lb1"}}, 0},
		{"the right of a swap whose answer was lost", holds, Record{Alone: "lb1"}, 8, &asks{record: Record{Alone: "lb1"}, holds: true}, 0},
		{"an earlier process's challenge of a missing record", needs, Record{Challenger: "lb1"}, 7, &asks{record: Record{Challenger: "lb1"}}, 0},
		{"this node's challenge of a missing record", since(validity/4, unneeded), Record{Challenger: "lb1"}, 7, nil, validity * 3 / 4},
		{"the same, a validity ago", since(validity, unneeded), Record{Challenger: "lb1"}, 7, &asks{}, 0},
		{"the same, needed since", since(validity/4, needs), Record{Challenger: "lb1"}, 7, nil, validity * 3 / 4},
		{"the peer's challenge of a missing record", needs, Record{Challenger: "lb2"}, 7, &asks{record: Record{Alone: "lb1"}}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := New("lb1", validity)
			test.is(&m)
			m.next = now
			m.Advance(now)
			m.Answered(now, Answer{ID: m.Ready()[0].ID, Revision: test.revision, Record: test.record})
			asked := m.Ready()
			if test.want == nil {
				if len(asked) > 0 || m.Deadline() != now.Add(test.next) {
					t.Fatalf("asks %+v, next in %v; want no question before %v", asked, m.Deadline().Sub(now), test.next)
				}
				return
			}
			if len(asked) != 1 || !asked[0].Swap || asked[0].Revision != test.revision {
				t.Fatalf("asks %+v, want one swap of revision %d", asked, test.revision)
			}
			if got := (asks{asked[0].Record, m.Until() > now, m.Denied()}); got != *test.want {
				t.Errorf("asks for %+v, want %+v", got, *test.want)
			}
		})
	}
}

// TestARegisterKeepsItsRevisionsApart: a deleted record has revision 0, and what is written later never
// has the revision of an earlier record.
func TestARegisterKeepsItsRevisionsApart(t *testing.T) {
	var r Register
	seen := map[uint64]bool{}
	for range 3 {
		a := r.Do(Question{Swap: true, Revision: 0, Record: Record{Alone: "lb1"}})
		if !a.Swapped || seen[a.Revision] || a.Revision == 0 {
			t.Fatalf("a first write gives %+v, after the revisions %v", a, seen)
		}
		seen[a.Revision] = true
		r.Delete()
		r.Delete()
		if a := r.Do(Question{}); a.Revision != 0 || a.Record != (Record{}) {
			t.Fatalf("after its deletion the record is %+v", a)
		}
	}
}

// TestACloneAsksOnItsOwn: a question of the original after the copy is none of the copy's.
func TestACloneAsksOnItsOwn(t *testing.T) {
	m := New("lb1", validity)
	m.Advance(1)
	m.ready = append(make([]Question, 0, 4), m.ready...)
	c := m.Clone()
	m.ask(1, look, Record{})
	c.ask(1, take, Record{})
	if asked := m.Ready(); len(asked) != 2 || asked[1].Swap {
		t.Errorf("the original asks %+v, want to read twice", asked)
	}
}
