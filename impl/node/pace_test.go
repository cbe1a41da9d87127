package node

import (
	"fmt"
	"testing"
	"time"

	"baton/impl/clock"
)

// announcing runs an announcement for a time and calls sent with each VIP.
func announcing(pace Pace, lasts time.Duration, sent func(at clock.Instant, round, vip int)) {
	a := announcement{pace: pace.withDefaults()}
	a.random.Seed(pace.Seed, 0)
	const start = clock.Instant(time.Hour)
	a.start(start, false)
	for now := start; now < start.Add(lasts); now = a.next {
		out := a.due(now)
		for i := range out.VIPs {
			sent(now, out.Count, (out.First+i)%a.pace.VIPs)
		}
	}
}

// policer is a token bucket of frames.
type policer struct {
	rate, most float64
	left       float64
	at         clock.Instant
}

func (p *policer) passes(now clock.Instant) bool {
	if p.at == 0 {
		p.left = p.most
	} else {
		p.left = min(p.most, p.left+now.Sub(p.at).Seconds()*p.rate)
	}
	p.at = now
	if p.left < 1 {
		return false
	}
	p.left--
	return true
}

// TestEachVIPGetsThroughAPortThatPolicesARP: with 150 VIPs and a limit of thirty frames a
// second, each is heard within eight seconds: one for the burst, the rest for a round.
func TestEachVIPGetsThroughAPortThatPolicesARP(t *testing.T) {
	const vips, limit = 150, 8 * time.Second
	for _, most := range []float64{1, 10, 30} {
		for seed := range uint64(20) {
			p := policer{rate: 30, most: most}
			heard, last := map[int]bool{}, clock.Instant(0)
			announcing(Pace{VIPs: vips, Seed: seed}, limit, func(at clock.Instant, _, vip int) {
				if p.passes(at) && !heard[vip] {
					heard[vip], last = true, at
				}
			})
			if len(heard) != vips {
				t.Errorf("bucket of %v, seed %d: %d of %d VIPs were heard within %v, the last %v after the beginning",
					most, seed, len(heard), vips, limit, last.Sub(clock.Instant(time.Hour)))
			}
		}
	}
}

// TestAnnouncementsKeepTheirPace: the first few frames of the burst leave together and the
// others apart. Each round has every VIP once. After the burst the rate is never exceeded.
func TestAnnouncementsKeepTheirPace(t *testing.T) {
	for _, pace := range []Pace{{VIPs: 1}, {VIPs: 3}, {VIPs: 8}, {VIPs: 9}, {VIPs: 150}, {VIPs: 40, Every: 10 * time.Millisecond, Rate: 5}} {
		t.Run(fmt.Sprint(pace), func(t *testing.T) {
			full := pace.withDefaults()
			rounds := map[int]map[int]int{} // VIPs by round
			order := []int{}
			last, together, lastRound := clock.Instant(0), 0, 0
			var slowBegan clock.Instant
			slow := 0
			announcing(pace, 10*time.Minute, func(at clock.Instant, round, vip int) {
				if rounds[round] == nil {
					rounds[round] = map[int]int{}
					order = append(order, round)
				}
				rounds[round][vip]++
				apart := at.Sub(last)
				switch {
				case apart == 0:
					if together++; together > atOnce {
						t.Fatalf("round %d: %d VIPs at once", round, together)
					}
				case apart < full.Every:
					t.Fatalf("round %d: %v after the frame before, want %v at least", round, apart, full.Every)
				default:
					together = 1
				}
				if round > len(burst) && full.VIPs > atOnce {
					if slowBegan == 0 {
						slowBegan = at
					}
					if slow++; float64(slow-1) > at.Sub(slowBegan).Seconds()*float64(full.Rate)+1 {
						t.Fatalf("%d frames in the %v after the burst, want %d a second at most", slow, at.Sub(slowBegan), full.Rate)
					}
				}
				last, lastRound = at, round
			})
			for i, round := range order {
				if round != i+1 {
					t.Fatalf("rounds %v, want each number once", order)
				}
				if round < lastRound && len(rounds[round]) != full.VIPs {
					t.Errorf("round %d announced %d of %d VIPs", round, len(rounds[round]), full.VIPs)
				}
				for vip, n := range rounds[round] {
					if n != 1 {
						t.Errorf("round %d announced VIP %d %d times", round, vip, n)
					}
				}
			}
			if end := clock.Instant(time.Hour).Add(10 * time.Minute); end.Sub(last) > refresh+full.roundTime() {
				t.Errorf("nothing was announced in the last %v", end.Sub(last))
			}
		})
	}
}

// TestSmallRoundsAreAnnouncedAtOnce: up to atOnce VIPs are announced at one instant in every round. With more VIPs, atOnce of
// them begin each round of the burst, and later frames are spaced.
func TestSmallRoundsAreAnnouncedAtOnce(t *testing.T) {
	for _, c := range []struct{ vips, burst, later int }{{1, 1, 1}, {atOnce, atOnce, atOnce}, {atOnce + 1, atOnce, 1}, {150, atOnce, 1}} {
		together := map[int]int{} // by round: the VIPs announced at its first instant
		began := map[int]clock.Instant{}
		firsts := map[int]bool{}
		announcing(Pace{VIPs: c.vips, Seed: 1}, 5*time.Minute, func(at clock.Instant, round, vip int) {
			if _, is := began[round]; !is {
				began[round], firsts[vip] = at, true
			}
			if at == began[round] {
				together[round]++
			}
		})
		for round, n := range together {
			if want := map[bool]int{true: c.burst, false: c.later}[round <= len(burst)]; n != want {
				t.Errorf("%d VIPs: round %d begins with %d together, want %d", c.vips, round, n, want)
			}
		}
		if varies := len(firsts) > 1; varies != (c.vips > atOnce) {
			t.Errorf("%d VIPs: rounds begin with the VIPs %v: a port that drops the end of a round drops the same ones", c.vips, firsts)
		}
	}
}

// TestTheBurstEndsWithAPause: with many VIPs a policer may have dropped most of the burst, so the next round begins as
// soon as the rate allows. With few it follows the schedule of rounds.
func TestTheBurstEndsWithAPause(t *testing.T) {
	for _, vips := range []int{3, 150} {
		pace := Pace{VIPs: vips, Seed: 1}.withDefaults()
		var ended, next clock.Instant
		announcing(pace, time.Minute, func(at clock.Instant, round, _ int) {
			switch {
			case round <= len(burst):
				ended = at
			case next == 0:
				next = at
			}
		})
		pause, rate := next.Sub(ended), time.Second/time.Duration(pace.Rate)
		if soon := pause == rate; soon != (vips > atOnce) || !soon && pause < repeat/2 {
			t.Errorf("%d VIPs: the round after the burst begins %v after it, the rate allows %v", vips, pause, rate)
		}
	}
}

// TestALateNodeAnnouncesNoBacklog: after a pause, each missed round is announced at most once.
func TestALateNodeAnnouncesNoBacklog(t *testing.T) {
	a := announcement{pace: Pace{VIPs: 3}.withDefaults()}
	a.start(clock.Instant(time.Hour), false)
	now := clock.Instant(time.Hour).Add(10 * time.Second)
	frames := 0
	for now < clock.Instant(time.Hour).Add(11*time.Second) {
		frames += a.due(now).VIPs
		now = max(now, a.next)
	}
	if most := 3 * (len(burst) + 1); frames > most {
		t.Errorf("%d frames in a second after a pause, want %d at most", frames, most)
	}
}
