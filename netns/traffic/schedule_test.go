package traffic

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
)

// The n-th instant must not depend on when the ones before it were taken.
func TestScheduleIsKeptWhateverTheDelays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.5, 10_000).Draw(t, "rate")
		p := perSecond(1_000_000, rate)
		now := p.start
		taken := int64(0)
		for range 200 {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(50*time.Millisecond)).Draw(t, "pause")))
			for {
				intended, n, due := p.take(now)
				if !due {
					break
				}
				if n != taken {
					t.Fatalf("instant %d follows %d", n, taken-1)
				}
				taken++
				exact := float64(n) / rate * 1e9
				if got := float64(intended - p.start); got > exact+1 || got < exact-float64(slot)-1 {
					t.Fatalf("instant %d at %.0f ns, want within a slot before %.0f", n, got, exact)
				}
			}
		}
		if due := int64(now.Sub(p.start).Seconds()*rate) - 1; taken < due {
			t.Fatalf("%d instants taken after %v at %v/s, want at least %d", taken, now.Sub(p.start), rate, due)
		}
	})
}

func TestEverySpreadsTheSendersOverThePeriod(t *testing.T) {
	p := every(0, 100*time.Millisecond, 50)
	count := map[clock.Instant]int{}
	for {
		intended, _, due := p.take(clock.Instant(100*time.Millisecond) - 1)
		if !due {
			break
		}
		count[intended]++
	}
	if len(count) != 50 {
		t.Fatalf("50 senders act at %d different instants of the period", len(count))
	}
}

func TestShareDividesWithoutRest(t *testing.T) {
	for clients := 1; clients <= 4; clients++ {
		seen := map[int]bool{}
		for c := range clients {
			for _, n := range share(10, c, clients) {
				if seen[n] {
					t.Errorf("%d clients: number %d twice", clients, n)
				}
				seen[n] = true
			}
		}
		if len(seen) != 10 {
			t.Errorf("%d clients: %d of 10 numbers", clients, len(seen))
		}
	}
}

func ms(n int) clock.Instant { return clock.Instant(n) * clock.Instant(time.Millisecond) }

func TestStalls(t *testing.T) {
	type message struct{ intended, until int }
	tests := []struct {
		rule     string
		messages []message
		want     []gap
	}{
		{"an echo in time is no stall", []message{{0, 50}, {100, 101}}, nil},
		{"a stall lasts from the first delayed message to its echo",
			[]message{{0, 1}, {100, 700}}, []gap{{ms(100), ms(700), 0}}},
		{"what piled up behind a stall belongs to it",
			[]message{{100, 700}, {200, 700}, {300, 700}, {600, 701}, {700, 702}}, []gap{{ms(100), ms(700), 0}}},
		{"two stalls with an echo in time between them are two",
			[]message{{100, 400}, {500, 501}, {600, 800}}, []gap{{ms(100), ms(400), 0}, {ms(600), ms(800), 0}}},
		{"a second outage during the pile-up is a stall from the end of the first",
			[]message{{100, 700}, {200, 1700}}, []gap{{ms(100), ms(700), 0}, {ms(700), ms(1700), 0}}},
		{"a run of messages that are all late is one stall",
			[]message{{0, 60}, {100, 160}, {200, 260}, {300, 360}}, []gap{{ms(0), ms(60), 0}}},
		{"in such a run a longer stall is seen",
			[]message{{0, 60}, {100, 160}, {200, 900}, {300, 900}}, []gap{{ms(0), ms(60), 0}, {ms(200), ms(900), 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			m := stallMeter{threshold: 50 * time.Millisecond}
			var got []gap
			for _, x := range tt.messages {
				if g, late := m.waited(ms(x.intended), ms(x.until)); late {
					got = append(got, g)
				}
			}
			compareGaps(t, got, tt.want)
		})
	}
}

func TestOutages(t *testing.T) {
	// One probe a millisecond; x is missed, . is answered, L was sent 30 ms late and answered.
	tests := []struct {
		rule, probes string
		want         []gap
		open         bool // the last one ends with the flow
	}{
		{"no probe missed is no outage", "....", nil, false},
		{"a few missed probes are below the threshold", ".xxx.", nil, false},
		{"an outage lasts from the last answered probe to the next", "..xxxxxxxxxxxx..", []gap{{ms(1), ms(14), 12}}, false},
		{"an answer within ends one and begins the next", ".xxxxxxxxxxxx.xxxxxxxxxxx.",
			[]gap{{ms(0), ms(13), 12}, {ms(13), ms(25), 11}}, false},
		{"an outage from the beginning counts from the first probe", "xxxxxxxxxxxxx.", []gap{{ms(0), ms(13), 13}}, false},
		{"an outage that is open at the end is one", ".xxxxxxxxxxxxx", []gap{{ms(0), ms(14), 13}}, true},
		{"a probe sent late ends the outage when it was sent", ".xxxL", []gap{{ms(0), ms(34), 3}}, false},
		{"a probe sent late and answered begins the next outage when it was sent", ".LxL", nil, false},
		{"a late generator that misses nothing is no outage", "..L..", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			m := outageMeter{threshold: 10 * time.Millisecond}
			var got []gap
			for i, p := range tt.probes {
				sent := ms(i)
				if p == 'L' {
					sent = ms(i + 30)
				}
				if g, found := m.settle(sent, p != 'x'); found {
					got = append(got, g)
				}
			}
			if g, open := m.end(ms(len(tt.probes))); open != tt.open {
				t.Errorf("open at the end: %v, want %v", open, tt.open)
			} else if open {
				got = append(got, g)
			}
			compareGaps(t, got, tt.want)
		})
	}
}

func compareGaps(t *testing.T, got, want []gap) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("gap %d is %v, want %v", i, got[i], want[i])
		}
	}
}
