package bfd

import (
	"testing"
	"time"

	"baton/impl/clock"

	"pgregory.net/rapid"
)

// pair is two sessions and a link between them, in true time. Each session has its
// own drifting clock.
type pair struct {
	now   clock.Instant
	ends  [2]end
	wire  []flight
	fate  func(from int) (lost bool, delay time.Duration)
	cut   [2]bool // by sender
	onEvt func(end int, c Change)
}

type end struct {
	s     *Session
	drift float64       // local time is true time times this
	heard clock.Instant // true time of the last accepted packet
}

type flight struct {
	to   int
	at   clock.Instant
	data []byte
}

func newPair(t rapid.TB, cfgs [2]Config, drift [2]float64) *pair {
	p := &pair{now: clock.Instant(time.Hour)}
	for i, cfg := range cfgs {
		p.ends[i].drift = drift[i]
		s, err := New(cfg, p.local(i, p.now))
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		p.ends[i].s = s
	}
	return p
}

func (p *pair) local(i int, at clock.Instant) clock.Instant {
	return clock.Instant(float64(at) * p.ends[i].drift)
}

// global returns the first true instant at which the local clock shows at.
func (p *pair) global(i int, at clock.Instant) clock.Instant {
	if at == clock.Never {
		return clock.Never
	}
	g := clock.Instant(float64(at) / p.ends[i].drift)
	for p.local(i, g).Before(at) {
		g++
	}
	return g
}

// run advances true time to the end, or until stop says so.
func (p *pair) run(until clock.Instant, stop func() bool) {
	for stuck := 0; !stop(); stuck++ {
		if stuck > 1000 {
			panic("a deadline does not move on")
		}
		next, what := until, -1
		for i := range p.ends {
			if at := max(p.now, p.global(i, p.ends[i].s.Deadline())); at.Before(next) {
				next, what = at, i
			}
		}
		flying := -1
		for i, f := range p.wire {
			if f.at.Before(next) {
				next, flying = f.at, i
			}
		}
		if next.After(p.now) {
			stuck = 0
		}
		p.now = next
		switch {
		case flying >= 0:
			f := p.wire[flying]
			p.wire = append(p.wire[:flying], p.wire[flying+1:]...)
			if p.ends[f.to].s.Receive(p.local(f.to, p.now), f.data, maxTTL) == nil {
				p.ends[f.to].heard = p.now
			}
			p.collect(f.to)
		case what >= 0:
			p.ends[what].s.Advance(p.local(what, p.now))
			p.collect(what)
		default:
			return
		}
	}
}

func (p *pair) collect(i int) {
	ready := p.ends[i].s.Ready()
	for _, b := range ready.Packets {
		lost, delay := p.fate(i)
		if !lost && !p.cut[i] {
			p.wire = append(p.wire, flight{to: 1 - i, at: p.now.Add(delay), data: append([]byte(nil), b...)})
		}
	}
	if p.onEvt != nil {
		for _, c := range ready.Changes {
			p.onEvt(i, c)
		}
	}
}

func never() bool { return false }

// symmetricPair returns two sessions with the test's configuration over a perfect link
// of 1 ms.
func symmetricPair(t *testing.T, edit func(*Config)) *pair {
	t.Helper()
	var cfgs [2]Config
	for i := range cfgs {
		cfgs[i] = testConfig()
		cfgs[i].LocalDiscr, cfgs[i].Seed = uint32(i+1), uint64(i)
		edit(&cfgs[i])
	}
	p := newPair(t, cfgs, [2]float64{1, 1})
	p.fate = func(int) (bool, time.Duration) { return false, ms }
	return p
}

func (p *pair) bothUp() bool { return p.ends[0].s.State() == Up && p.ends[1].s.State() == Up }

func drawPair(t *rapid.T) (cfgs [2]Config, drift [2]float64, delay time.Duration) {
	interval := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.IntRange(3_000, 500_000).Draw(t, "µs")) * time.Microsecond
	})
	shortest := time.Hour
	for i := range cfgs {
		cfgs[i] = Config{
			LocalDiscr:            uint32(i + 1),
			DesiredMinTxInterval:  interval.Draw(t, "tx"),
			RequiredMinRxInterval: interval.Draw(t, "rx"),
			DetectMult:            uint8(rapid.IntRange(2, 6).Draw(t, "mult")),
			Seed:                  rapid.Uint64().Draw(t, "seed"),
		}
		shortest = min(shortest, cfgs[i].DesiredMinTxInterval)
		drift[i] = 1 + float64(rapid.IntRange(-500, 500).Draw(t, "ppm"))/1e6
	}
	return cfgs, drift, shortest / 4
}

// TestPairNoFalseDown: with fewer losses in a row than the sender's multiplier
// tolerates, delays that vary by a quarter of the interval and clocks that drift, a
// session that is Up stays Up. Losses in a row are bounded by multiplier minus two:
// with one more, an unjittered interval reaches the Detection Time exactly.
func TestPairNoFalseDown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfgs, drift, delay := drawPair(t)
		p := newPair(t, cfgs, drift)
		lossy := false
		rng := rapid.Uint64().Draw(t, "fate")
		var row [2]int
		p.fate = func(from int) (bool, time.Duration) {
			rng = rng*6364136223846793005 + 1442695040888963407
			d := time.Duration(rng >> 33 % uint64(delay))
			if lossy && row[from] < int(cfgs[from].DetectMult)-2 && rng>>20&1 == 0 {
				row[from]++
				return true, 0
			}
			row[from] = 0
			return false, d
		}
		p.run(p.now.Add(time.Minute), p.bothUp)
		if !p.bothUp() {
			t.Fatal("a perfect link does not come Up within a minute")
		}
		// Until the intervals are settled a lost packet may be the one that carries them.
		p.run(p.now.Add(10*time.Second), never)
		lossy = true
		p.onEvt = func(end int, c Change) { t.Fatalf("end %d: %v -> %v (%v)", end, c.From, c.To, c.Diag) }
		p.run(p.now.Add(time.Minute), never)
	})
}

// TestPairDetection: when the link is cut in one direction, the receiver declares
// the session down one Detection Time after the last packet that it accepted, by
// its own clock, neither earlier nor later; the sender follows by diagnostic 3.
//
// Conformance: RFC 5880 6.8.4/1
func TestPairDetection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfgs, drift, delay := drawPair(t)
		p := newPair(t, cfgs, drift)
		rng := rapid.Uint64().Draw(t, "fate")
		p.fate = func(int) (bool, time.Duration) {
			rng = rng*6364136223846793005 + 1442695040888963407
			return false, time.Duration(rng >> 33 % uint64(delay))
		}
		p.run(p.now.Add(time.Minute), p.bothUp)
		p.run(p.now.Add(5*time.Second+time.Duration(rapid.IntRange(0, 1_000_000).Draw(t, "when"))*time.Microsecond), never)
		if !p.bothUp() {
			t.Fatal("not Up")
		}
		sender := rapid.IntRange(0, 1).Draw(t, "sender")
		receiver := 1 - sender
		agreed := max(cfgs[receiver].RequiredMinRxInterval, cfgs[sender].DesiredMinTxInterval)
		detect := time.Duration(cfgs[sender].DetectMult) * agreed
		p.cut[sender] = true
		cutAt := p.now
		p.run(p.now.Add(time.Minute), func() bool { return p.ends[receiver].s.State() != Up })
		p.onEvt = nil
		r := &p.ends[receiver]
		if r.s.LocalDiag() != DiagDetectionTimeExpired {
			t.Fatalf("down by %v", r.s.LocalDiag())
		}
		took := p.local(receiver, p.now).Sub(p.local(receiver, r.heard))
		if took < detect || took > detect+time.Microsecond {
			t.Fatalf("declared down %v after the last packet, want the Detection Time %v", took, detect)
		}
		// Seen from the cut: the last packet was sent at most one interval before it
		// and arrived at most one delay after it. Drift is 500 ppm.
		tolerance := detect / 1000
		if since := p.now.Sub(cutAt); since < detect-agreed-tolerance || since > detect+delay+tolerance {
			t.Fatalf("declared down %v after the cut, want %v to %v", since, detect-agreed, detect+delay)
		}
		p.run(p.now.Add(2*delay), func() bool { return p.ends[sender].s.State() != Up })
		if p.ends[sender].s.LocalDiag() != DiagNeighborDown {
			t.Fatalf("the sender is %v by %v", p.ends[sender].s.State(), p.ends[sender].s.LocalDiag())
		}
	})
}

// TestPairConverges: whatever is lost, once the link is good again both ends come
// Up, agree on the intervals and have no Poll Sequence left.
func TestPairConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfgs, drift, delay := drawPair(t)
		p := newPair(t, cfgs, drift)
		rng := rapid.Uint64().Draw(t, "fate")
		lossy := true
		p.fate = func(int) (bool, time.Duration) {
			rng = rng*6364136223846793005 + 1442695040888963407
			return lossy && rng>>20%5 < 3, time.Duration(rng >> 33 % uint64(delay))
		}
		p.run(p.now.Add(20*time.Second), never)
		lossy = false
		p.run(p.now.Add(20*time.Second), never)
		if !p.bothUp() {
			t.Fatalf("%v and %v", p.ends[0].s.State(), p.ends[1].s.State())
		}
		for i := range p.ends {
			s, o := p.ends[i].s, 1-i
			if want := max(cfgs[i].DesiredMinTxInterval, cfgs[o].RequiredMinRxInterval); s.TransmitInterval() != want {
				t.Errorf("end %d transmits each %v, want %v", i, s.TransmitInterval(), want)
			}
			if s.poll.active || s.poll.wanted {
				t.Errorf("end %d still polls", i)
			}
		}
	})
}
