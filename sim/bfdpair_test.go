package sim

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/scenarios/link"
)

// bfdPair is two BFD sessions and the two directions of a link between them, in true time. Each
// session uses its own host's clock, which drifts, and has an owner that is late at every deadline.
type bfdPair struct {
	t    rapid.TB
	now  clock.Instant
	ends [2]bfdEnd
	wire []bfdFlight
}

// bfdEnd is one session with its clock, its owner and its direction of the link.
type bfdEnd struct {
	session *bfd.Session
	cfg     bfd.Config
	clock   hostClock
	late    time.Duration // how late its owner comes to a deadline
	params  link.Params   // of the direction in which it sends
	link    *link.Model
	cut     bool
	lose    func() bool // what the link loses besides, nil for nothing

	silence silence
	pace    pace
	changes []bfd.Change
}

type bfdFlight struct {
	to   int
	at   clock.Instant
	data []byte
}

// newBFDPair starts two sessions at a true instant that is not their clocks' zero.
func newBFDPair(t rapid.TB, ends [2]bfdEnd) *bfdPair {
	p := &bfdPair{t: t, now: clock.Instant(time.Minute), ends: ends}
	for i := range p.ends {
		e := &p.ends[i]
		var err error
		if e.session, err = bfd.New(e.cfg, e.clock.local(p.now)); err != nil {
			t.Fatalf("New: %v", err)
		}
		if e.link, err = link.New(e.params, e.cfg.Seed); err != nil {
			t.Fatalf("link: %v", err)
		}
		e.silence = silence{minRx: e.cfg.RequiredMinRxInterval, wanted: e.cfg.RequiredMinRxInterval}
	}
	return p
}

// run advances true time to the end, or until stop reports true.
func (p *bfdPair) run(until clock.Instant, stop func() bool) {
	for calls := 0; stop == nil || !stop(); calls++ {
		if calls > 5_000_000 {
			p.t.Fatal("the deadlines do not move on")
		}
		end, flight, at := p.next(until)
		p.now = at
		switch {
		case flight >= 0:
			p.arrive(flight)
		case end >= 0:
			e := &p.ends[end]
			e.session.Advance(e.clock.local(p.now))
			p.settle(end, nil)
		default:
			p.silent()
			return
		}
	}
}

// next returns the next event: a deadline when its owner handles it, or an arrival.
func (p *bfdPair) next(until clock.Instant) (end, flight int, at clock.Instant) {
	end, flight, at = -1, -1, until
	for i := range p.ends {
		e := &p.ends[i]
		if due := max(p.now, e.clock.at(e.session.Deadline()).Add(e.late)); due.Before(at) {
			end, at = i, due
		}
	}
	for i, f := range p.wire {
		if f.at.Before(at) {
			flight, at = i, f.at
		}
	}
	return end, flight, at
}

// arrive hands a packet to the session that it reaches.
func (p *bfdPair) arrive(flight int) {
	f := p.wire[flight]
	p.wire = slices.Delete(p.wire, flight, flight+1)
	e := &p.ends[f.to]
	if err := e.session.Receive(e.clock.local(p.now), f.data, bfd.TransmitTTL); err != nil {
		p.settle(f.to, nil)
		return
	}
	accepted, err := bfd.Parse(f.data)
	if err != nil {
		p.t.Fatalf("accepted %x: %v", f.data, err)
	}
	p.settle(f.to, &accepted)
}

// settle takes a session's effects and judges them.
func (p *bfdPair) settle(end int, accepted *bfd.Packet) {
	e := &p.ends[end]
	ready := e.session.Ready()
	local := e.clock.local(p.now)
	e.silence.judge(p.t, e, local, ready.Changes, accepted)
	e.changes = append(e.changes, ready.Changes...)
	for _, b := range ready.Packets {
		sent, err := bfd.Parse(b)
		if err != nil {
			p.t.Fatalf("transmitted %x: %v", b, err)
		}
		e.silence.sent(&sent)
		e.pace.note(local, &sent)
		p.transmit(end, b)
	}
}

func (p *bfdPair) transmit(end int, b []byte) {
	e := &p.ends[end]
	deliveries := e.link.Fate(p.now, len(b))
	if e.cut || e.lose != nil && e.lose() {
		return
	}
	for _, d := range deliveries {
		data := slices.Clone(b)
		if d.Corrupt {
			data[d.Bit/8] ^= 1 << (d.Bit % 8)
		}
		p.wire = append(p.wire, bfdFlight{to: 1 - end, at: d.At, data: data})
	}
}

// silent checks at the end of a run that no session stayed Up after its Detection Time.
func (p *bfdPair) silent() {
	for i := range p.ends {
		e := &p.ends[i]
		e.silence.judge(p.t, e, e.clock.local(p.now.Add(-e.late)), nil, nil)
	}
}

// settled brings both ends Up over a lossless link and waits until their Poll Sequences have ended.
func (p *bfdPair) settled() {
	p.t.Helper()
	p.run(p.now.Add(time.Minute), p.up)
	if !p.up() {
		p.t.Fatal("a link that loses nothing does not come Up within a minute")
	}
	p.run(p.now.Add(10*time.Second), nil)
	for i := range p.ends {
		if got, want := p.ends[i].session.TransmitInterval(), p.agreed(i); got != want {
			p.t.Fatalf("end %d transmits each %v, want %v", i, got, want)
		}
		p.ends[i].changes = nil
		p.ends[i].pace = pace{}
	}
}

func (p *bfdPair) up() bool {
	return p.ends[0].session.State() == bfd.Up && p.ends[1].session.State() == bfd.Up
}

// agreed is the interval at which an end transmits while Up, before jitter: the
// greater of its own bfd.DesiredMinTxInterval and the peer's bfd.RequiredMinRxInterval
// (RFC 5880 section 6.8.7).
func (p *bfdPair) agreed(sender int) time.Duration {
	return max(p.ends[sender].cfg.DesiredMinTxInterval, p.ends[1-sender].cfg.RequiredMinRxInterval)
}

// detection is the Detection Time at the peer of a sender: the sender's Detect Mult
// times the agreed interval (section 6.8.4), by the clock of the peer.
func (p *bfdPair) detection(sender int) time.Duration {
	return time.Duration(p.ends[sender].cfg.DetectMult) * p.agreed(sender)
}

// slowest and fastest are the bounds of an interval between two packets of a sender
// in true time: 75 to 100 % of the agreed one, at most 90 % with a Detect Mult of 1
// (section 6.8.7), by the sender's clock, and then as late as its owner.
func (p *bfdPair) slowest(sender int) time.Duration {
	e := &p.ends[sender]
	longest := p.agreed(sender)
	if e.cfg.DetectMult == 1 {
		longest = longest / 10 * 9
	}
	return e.lasts(longest) + e.late
}

func (p *bfdPair) fastest(sender int) time.Duration {
	return p.ends[sender].lasts(p.agreed(sender) / 4 * 3)
}

// lasts converts a duration by the end's clock to true time.
func (e *bfdEnd) lasts(local time.Duration) time.Duration {
	return time.Duration(float64(local) / (1 + float64(e.clock.drift)/1e9))
}

// rounding is a generous bound on the rounding error of the clocks' integer arithmetic.
const rounding = 10 * time.Nanosecond

// drawBFDPair draws both sides' timers, drift, delay, jitter and the owners' lateness. Jitter is at
// most half an interval between two arrivals; with a Detect Mult of 1 everything has to fit into
// the 10 % that section 6.8.7 leaves.
func drawBFDPair(t *rapid.T) (ends [2]bfdEnd) {
	interval := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.IntRange(3_000, 500_000).Draw(t, "µs")) * time.Microsecond
	})
	for i := range ends {
		ends[i].cfg = bfd.Config{
			LocalDiscr:            uint32(i + 1),
			DesiredMinTxInterval:  interval.Draw(t, "tx"),
			RequiredMinRxInterval: interval.Draw(t, "rx"),
			DetectMult:            uint8(rapid.IntRange(1, 6).Draw(t, "mult")),
			Seed:                  rapid.Uint64().Draw(t, "seed"),
		}
		ends[i].clock = hostClock{
			base:  clock.Instant(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "base")),
			drift: rapid.Int64Range(-500_000, 500_000).Draw(t, "drift"),
		}
	}
	for i := range ends {
		e := &ends[i]
		agreed := max(e.cfg.DesiredMinTxInterval, ends[1-i].cfg.RequiredMinRxInterval)
		upTo := func(name string, most time.Duration) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(most)).Draw(t, name))
		}
		e.late = upTo("late", agreed/40)
		e.params.Delay = upTo("delay", 100*time.Millisecond)
		jitter := agreed / 4
		if e.cfg.DetectMult == 1 {
			jitter = agreed / 40
		}
		e.params.Jitter = upTo("jitter", min(e.params.Delay, jitter))
	}
	return ends
}

// TestBFDPairIsDeterministic: the same seeds give the same instants.
func TestBFDPairIsDeterministic(t *testing.T) {
	run := func() []clock.Instant {
		ends := rapid.Custom(drawBFDPair).Example(7)
		for i := range ends {
			ends[i].params.Loss = 0.3
		}
		p := newBFDPair(t, ends)
		p.run(p.now.Add(time.Minute), nil)
		var at []clock.Instant
		for i := range p.ends {
			for _, c := range p.ends[i].changes {
				at = append(at, c.At)
			}
			at = append(at, p.ends[i].session.LastSent())
		}
		return at
	}
	if one, two := run(), run(); !slices.Equal(one, two) || len(one) < 4 {
		t.Errorf("one seed, two histories:\n%v\n%v", one, two)
	}
}
