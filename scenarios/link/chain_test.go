package link

import (
	"testing"
	"time"

	"baton/impl/clock"
)

// TestTheModelsOfAChainApplyInTurn: what two models do to a packet comes one after the other, and a
// packet that one loses reaches no other.
func TestTheModelsOfAChainApplyInTurn(t *testing.T) {
	late, slow := mustNew(t, Params{Delay: 10 * time.Millisecond}, 1), mustNew(t, Params{Rate: 8_000_000}, 1)
	if d := (Chain{late, slow}).Fate(0, 1000); len(d) != 1 || d[0].At != clock.Instant(11*time.Millisecond) {
		t.Errorf("10 ms late and 1 ms to be sent: %v", d)
	}
	if d := (Chain{}).Fate(5, 1000); len(d) != 1 || d[0].At != 5 {
		t.Errorf("no model takes no time: %v", d)
	}
	lossy := mustNew(t, Params{Loss: 1}, 1)
	if d := (Chain{lossy, late}).Fate(0, 1000); len(d) != 0 || late.Stats().Packets != 1 {
		t.Errorf("%v, and %d packets of one in the model behind", d, late.Stats().Packets)
	}
	twice := mustNew(t, Params{Duplicate: 1}, 1)
	if d := (Chain{twice, twice}).Fate(0, 1000); len(d) != 4 {
		t.Errorf("%d copies of what is doubled twice", len(d))
	}
	damaged := Chain{mustNew(t, Params{Corrupt: 1}, 1), mustNew(t, Params{}, 1)}
	if d := damaged.Fate(0, 1000); len(d) != 1 || !d[0].Corrupt {
		t.Errorf("%v: a model behind mends nothing", d)
	}
}

func TestPacketsAboveTheMTUAreTooLong(t *testing.T) {
	m := mustNew(t, Params{MTU: 1300}, 1)
	by, refused := Chain{mustNew(t, Params{}, 1), m}.TooLong(1301)
	if _, passes := (Chain{m}).TooLong(1300); passes || !refused || by != m {
		t.Errorf("1301 refused %v by %p of %p, 1300 refused %v", refused, by, m, passes)
	}
	if s := m.Stats(); s.Packets != 1 || s.TooLong != 1 || s.Dropped() != 1 {
		t.Errorf("%+v", s)
	}
}

// TestAPolicerPassesItsRateAndNoMore: packets that keep the rate pass, of twice as many
// every other.
func TestAPolicerPassesItsRateAndNoMore(t *testing.T) {
	for _, c := range []struct {
		every time.Duration
		lost  uint64
	}{{100 * time.Millisecond, 0}, {50 * time.Millisecond, 50}, {10 * time.Millisecond, 90}} {
		m := mustNew(t, Params{Packets: 10, Queue: 1}, 1)
		for _, d := range send(m, 100, 60, c.every) {
			if len(d) == 1 && d[0].At%clock.Instant(c.every) != 0 {
				t.Fatalf("every %v: a packet that passes is late: %v", c.every, d)
			}
		}
		if s := m.Stats(); s.LostToQueue != c.lost {
			t.Errorf("every %v: %d of 100 lost, want %d", c.every, s.LostToQueue, c.lost)
		}
	}
}

// TestBurstsOfAShare: the bursts lose the share of all packets that is asked for, at the
// length that is asked for.
func TestBurstsOfAShare(t *testing.T) {
	for _, c := range []struct{ share, length, bad float64 }{{0.05, 8, 1}, {0.2, 20, 0.8}, {0.01, 2, 1}} {
		m := mustNew(t, Params{Burst: Bursts(c.share, c.length, c.bad, 0)}, 3)
		const n = 500_000
		runs, inRun := 0.0, false
		for _, d := range send(m, n, 100, time.Microsecond) {
			if lost := len(d) == 0; lost != inRun {
				inRun = lost
				if lost {
					runs++
				}
			}
		}
		lost := float64(m.Stats().LostInBurst)
		if got := lost / n; got < c.share*0.9 || got > c.share*1.1 {
			t.Errorf("%+v: %g lost", c, got)
		}
		if c.bad == 1 && (lost/runs < c.length*0.9 || lost/runs > c.length*1.1) {
			t.Errorf("%+v: bursts of %g", c, lost/runs)
		}
	}
}

// TestTheFourParametersOfBursts: the model of Gilbert and Elliott loses the share of all
// packets that is asked for, of which those outside of bursts are the good state's.
func TestTheFourParametersOfBursts(t *testing.T) {
	for _, c := range []struct{ share, length, bad, good float64 }{{0.05, 8, 0.5, 0.01}, {0.2, 20, 0.8, 0.1}} {
		burst := Bursts(c.share, c.length, c.bad, c.good)
		m := mustNew(t, Params{Burst: burst}, 3)
		const n = 500_000
		send(m, n, 100, time.Microsecond)
		s, within := m.Stats(), burst.Begin/(burst.Begin+burst.End)
		for _, what := range []struct {
			name      string
			got, want float64
		}{
			{"lost", float64(s.Dropped()), c.share * n},
			{"lost in bursts", float64(s.LostInBurst), c.bad * within * n},
			{"lost outside", float64(s.Lost), c.good * (1 - within) * n},
		} {
			if what.got < what.want*0.9 || what.got > what.want*1.1 {
				t.Errorf("%+v: %s %g, want %g", c, what.name, what.got, what.want)
			}
		}
	}
}
