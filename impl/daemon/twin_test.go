package daemon

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/daemon/bfdio"
	"baton/impl/ha"
	"baton/impl/node"
)

// twin is a BFD path to a session of the test, in place of sockets, wire and peer.
type twin struct {
	session *bfd.Session
	data    [64]byte
	came    [1]bfdio.Datagram
	sent    int           // packets of the loop
	waits   clock.Instant // the next Receive returns the last packet again, received at this instant; 0 for none
}

func newTwin(t *testing.T, cfg bfd.Config) *twin {
	t.Helper()
	cfg.LocalDiscr++
	s, err := bfd.New(cfg, boottime.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &twin{session: s}
}

func (w *twin) Send(packet []byte) error {
	w.sent++
	return w.session.Receive(boottime.Now(), packet, bfd.TransmitTTL)
}

// Receive returns what the session has sent so far.
func (w *twin) Receive() ([]bfdio.Datagram, error) {
	now := boottime.Now()
	if w.waits != 0 {
		w.came[0].At, w.waits = w.waits, 0
		return w.came[:], nil
	}
	w.session.Advance(now)
	for _, packet := range w.session.Ready().Packets {
		w.came[0] = bfdio.Datagram{Data: w.data[:copy(w.data[:], packet)], TTL: bfd.TransmitTTL, At: now}
		return w.came[:], nil
	}
	return nil, nil
}

func (w *twin) Drops() (n bfdio.Drops, err error) { return n, nil }

// await turns the loop until a condition is met.
func (b *bench) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := boottime.Now().Add(patience); !holds(); b.mustTurn(t) {
		if boottime.Now() > deadline {
			t.Fatalf("not %s within %v", what, patience)
		}
	}
}

// join connects a twin to the loop's path, and waits until both are Up at their interval.
func (b *bench) join(t *testing.T, session bfd.Config) *twin {
	t.Helper()
	w := newTwin(t, session)
	b.paths[0].in, b.paths[0].out, b.paths[0].all = w, w, w
	pace := session.DesiredMinTxInterval
	b.await(t, "Up", func() bool {
		p := b.node.Status().Paths[0]
		return w.session.State() == bfd.Up && w.session.TransmitInterval() == pace &&
			p.State == bfd.Up.String() && p.Transmit == pace && p.Detection == time.Duration(session.DetectMult)*pace
	})
	return w
}

// become brings a bench that is ready for traffic into a role.
func (b *bench) become(t *testing.T, role ha.Role) {
	t.Helper()
	b.inbox.post(node.Dataplane{Ready: true})
	b.await(t, role.String(), func() bool { return b.node.Role() == role })
}

// TestAHeartbeatOfTheLoopAllocatesNothing: of a MASTER, whose lease is renewed and traced,
// and of a BACKUP, from the socket to the core.
func TestAHeartbeatOfTheLoopAllocatesNothing(t *testing.T) {
	for _, role := range []ha.Role{ha.Backup, ha.Master} {
		t.Run(role.String(), func(t *testing.T) {
			session := every(4*time.Millisecond, 255) // too long for any stall of the host to take it down
			b := newBench(t, session)
			var w *twin
			if role == ha.Backup {
				w = b.join(t, session) // a peer that is heard but reports no role
				b.become(t, role)
			} else {
				b.become(t, role)
				w = b.join(t, session)
			}
			twenty := func() { // because AllocsPerRun rounds down
				for end := w.sent + 20; w.sent < end; {
					b.mustTurn(t)
				}
			}
			twenty() // one-time reports are done
			b.late = lateness{}
			leases, received, downs := b.dp.leases, w.session.Stats().Received, w.session.Stats().Downs
			allocs := testing.AllocsPerRun(5, twenty)
			for i := 0; allocs != 0 && i < 4; i++ { // what the runtime allocates meanwhile counts too, but not each time
				allocs = testing.AllocsPerRun(5, twenty)
			}
			// After a long pause the core says that it was paused, which allocates.
			paused := allocs != 0 && b.late.max > 20*time.Millisecond
			if paused || w.session.Stats().Downs != downs || b.node.Role() != role {
				t.Skipf("the host stood still for %v", b.late.max)
			}
			if allocs != 0 {
				t.Errorf("%v allocations in twenty heartbeats", allocs)
			}
			if w.session.Stats().Received == received || (b.dp.leases > leases) != (role == ha.Master) {
				t.Errorf("%d packets and %d renewals of the lease were measured", w.session.Stats().Received-received, b.dp.leases-leases)
			}
		})
	}
}

// TestAPacketThatArrivedBeforeTheDetectionTimeEndedCounts: when the loop is late at the end of the Detection Time, a
// packet that arrived before it counts, whatever the loop handles first.
func TestAPacketThatArrivedBeforeTheDetectionTimeEndedCounts(t *testing.T) {
	const before = 50 * time.Microsecond // the packet came this long before the end
	for _, c := range []struct {
		name string
		late func(b *bench, expiry clock.Instant)
	}{
		{"the loop slept for too long", func(b *bench, _ clock.Instant) { b.mustTurn(t) }},
		{"another input took too long", func(b *bench, _ clock.Instant) { b.inbox.post(node.Dataplane{}); b.work() }},
		{"the sockets were just looked at", func(b *bench, expiry clock.Instant) {
			b.looked = expiry.Add(-2 * before)
			b.urgent()
		}},
		{"the sockets were just looked at, and an input waits", func(b *bench, expiry clock.Instant) {
			b.looked = expiry.Add(-2 * before)
			b.step(node.Dataplane{})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			session := every(time.Millisecond, 100)
			b := newBench(t, session)
			w := b.join(t, session)
			path := func() node.PathStatus { return b.node.Status().Paths[0] }
			downs := path().Stats.Downs
			expiry := w.came[0].At.Add(path().Detection)
			w.waits = expiry.Add(-before)
			// A slightly late loop is the harder case. The host may stall for more than
			// another Detection Time meanwhile.
			b.now = func() clock.Instant { return expiry }
			c.late(b, expiry)
			if p := path(); p.State != "Up" || p.Stats.Downs != downs || w.waits != 0 {
				t.Errorf("%v after %d downs, the packet waits until %v: it was taken for silence", p.State, p.Stats.Downs-downs, w.waits)
			}
		})
	}
}

// TestASuspendedMasterWakesWithoutItsLease: the clock includes the time in which the
// machine was suspended, wherever in the loop that happened. A lease decided before is
// written with its old, expired deadline, and nothing renews it.
func TestASuspendedMasterWakesWithoutItsLease(t *testing.T) {
	const slept = time.Hour
	for _, c := range []struct {
		name  string
		sleep func(b *bench, awake func())
	}{
		{"before a step", func(b *bench, awake func()) { awake(); b.step(node.Timer{}) }},
		{"between a decision and the lease that it writes", func(b *bench, awake func()) {
			b.dp.onLease = awake
			for b.dp.onLease != nil {
				b.step(node.Timer{})
			}
		}},
		{"before the answer of the dataplane", func(b *bench, awake func()) {
			b.inbox.call(awake)
			b.work()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, every(50*time.Millisecond, 3))
			b.become(t, ha.Master)
			var jump time.Duration
			b.now = func() clock.Instant { return boottime.Now().Add(jump) }
			c.sleep(b, func() { jump = slept })
			if b.dp.lease >= b.now() {
				t.Errorf("the dataplane may forward for another %v after the suspend", b.dp.lease.Sub(b.now()))
			}
			leases := b.dp.leases
			b.step(node.Timer{})
			if role := b.node.Role(); role == ha.Master || b.dp.lease > b.now() && b.dp.leases > leases {
				t.Errorf("woke as %v, with its lease renewed %d times", role, b.dp.leases-leases)
			}
		})
	}
}
