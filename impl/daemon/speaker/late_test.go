package speaker

import (
	"log/slog"
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/daemon/config"
)

// driven is a pair of speakers with one session each, driven by the test.
type driven struct{ one, two *Speaker }

// drive opens both without running them, and steps them until they are Up at their
// interval.
func drive(t *testing.T, interval time.Duration, mult uint8) driven {
	t.Helper()
	a, b := cable(t)
	open := func(e *end, local, peer string) (s *Speaker) {
		x := e.to(local, peer)
		x.TX, x.RX, x.Mult = config.Duration(interval), config.Duration(interval), mult
		e.do(func() (err error) {
			s, err = Open(&config.Speaker{Sessions: []config.BFDSession{x}}, slog.New(slog.DiscardHandler))
			return err
		})
		t.Cleanup(s.Close)
		return s
	}
	d := driven{open(a, "198.18.9.1", "198.18.9.2"), open(b, "198.18.9.2", "198.18.9.1")}
	settled := func(s *Speaker) bool {
		x := s.sessions[0].peered
		return x.State() == bfd.Up && x.TransmitInterval() == interval && x.DetectionTime() == time.Duration(mult)*interval
	}
	for deadline := time.Now().Add(patience); !settled(d.one) || !settled(d.two); d.look() {
		if time.Now().After(deadline) {
			t.Fatalf("not Up within %v", patience)
		}
	}
	return d
}

// look runs one round of both.
func (d driven) look() {
	for _, s := range []*Speaker{d.one, d.two} {
		s.look()
	}
}

func (d driven) stats() bfd.Stats { return d.one.sessions[0].peered.Stats() }

// TestASpeakerAllocatesNothingForAPacket: from the receiving socket through the session to
// the sending socket.
func TestASpeakerAllocatesNothingForAPacket(t *testing.T) {
	d := drive(t, time.Millisecond, 255)
	fifty := func() { // because AllocsPerRun rounds down
		for end := d.stats().Received + 50; d.stats().Received < end; {
			d.look()
		}
	}
	fifty()
	downs := d.stats().Downs
	allocs := testing.AllocsPerRun(5, fifty)
	for i := 0; allocs != 0 && i < 4; i++ { // what the runtime allocates meanwhile counts too, but not each time
		allocs = testing.AllocsPerRun(5, fifty)
	}
	if d.stats().Downs != downs {
		t.Skipf("the host stood still for %v, longer than the session waits", d.one.lateMax)
	}
	if allocs != 0 {
		t.Errorf("%v allocations in fifty packets each way", allocs)
	}
}

// TestASpeakerCountsAPacketThatArrivedBeforeTheDetectionTimeEnded: when its loop is late at the end of the
// Detection Time, a packet already in the socket counts.
func TestASpeakerCountsAPacketThatArrivedBeforeTheDetectionTimeEnded(t *testing.T) {
	d := drive(t, time.Millisecond, 200)
	x := d.one.sessions[0].peered
	d.one.look()
	d.two.look()
	before := d.stats()
	detect := x.DetectionTime()
	expiry := x.Variables().LastReceived.Add(detect)
	var sent clock.Instant // when the look began in which the peer sent last
	for sent == 0 || boottime.Now().Before(expiry.Add(-detect/2)) {
		at, count := boottime.Now(), d.two.sessions[0].peered.Stats().Sent
		if d.two.look(); d.two.sessions[0].peered.Stats().Sent > count { // the peer sends until then
			sent = at
		}
	}
	for boottime.Now().Before(expiry.Add(time.Millisecond)) {
		pause(expiry.Add(time.Millisecond))
	}
	d.one.look()
	looked := boottime.Now()
	if sent.After(expiry) {
		t.Skipf("the host stood still: the peer's last packet left %v after the end of the Detection Time", sent.Sub(expiry))
	}
	if looked.Sub(sent) > detect*9/10 {
		t.Skipf("the host stood still: it looked %v after the peer had sent last, and its Detection Time is %v", looked.Sub(sent), detect)
	}
	if x.State() != bfd.Up || d.stats().Downs != before.Downs || d.stats().Received == before.Received {
		t.Errorf("%v after %d downs, %d packets received: what waited was taken for silence",
			x.State(), d.stats().Downs-before.Downs, d.stats().Received-before.Received)
	}
}
