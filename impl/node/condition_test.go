package node

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ha"
)

// What a peer said on a session that is not Up counts for as long as the peer may take to say
// it again. It then sends once a second, and the session itself waits for several packets. The
// time counts from the packet's arrival, even if it waited in a socket while the node was
// paused.
func TestAConditionCountsUntilThePeerShouldHaveRepeatedIt(t *testing.T) {
	now := clock.Instant(time.Hour)
	cfg := bfd.Config{LocalDiscr: 1, DesiredMinTxInterval: 50 * time.Millisecond, RequiredMinRxInterval: 50 * time.Millisecond, DetectMult: 3}
	session, err := bfd.New(cfg, now)
	if err != nil {
		t.Fatal(err)
	}
	p := path{Path: Path{BFD: cfg}, session: session, said: neverSaid}
	if said := p.condition(now); said != unknown {
		t.Errorf("before anything was heard: %v", said)
	}
	packet := bfd.Packet{State: bfd.Down, Diag: diagOf[standby], DetectMult: 3, MyDiscr: 2, DesiredMinTxInterval: time.Second, RequiredMinRxInterval: 50 * time.Millisecond}
	waited := now.Add(-100 * time.Millisecond)
	p.advance(now) // the session's time must not go back to the packet's arrival
	p.receive(now, Packet{Data: packet.AppendTo(nil), TTL: 255, At: waited})
	for _, after := range []struct {
		passed time.Duration
		said   condition
	}{{0, standby}, {bootListen - 1, standby}, {bootListen, unknown}} {
		if said := p.condition(waited.Add(after.passed)); said != after.said {
			t.Errorf("%v after it was said: %v, want %v", after.passed, said, after.said)
		}
	}
}

// If the peer says different things on two paths, the later counts. But a packet on a session
// that is not Up may be from before this node's pause, so it does not override "serving" from a
// session that is Up.
func TestAPathThatIsNotUpCannotOverrideServing(t *testing.T) {
	said := func(c condition, up bool, at clock.Instant) path {
		session, err := bfd.New(bfd.Config{LocalDiscr: 1, DesiredMinTxInterval: time.Millisecond, RequiredMinRxInterval: time.Millisecond, DetectMult: 255}, 0)
		if err != nil {
			t.Fatal(err)
		}
		p := path{session: session, said: neverSaid}
		states := []bfd.State{bfd.Down}
		if up {
			states = append(states, bfd.Up)
		}
		for _, state := range states {
			packet := bfd.Packet{State: state, Diag: diagOf[c], DetectMult: 255, MyDiscr: 2, YourDiscr: 1, DesiredMinTxInterval: time.Millisecond, RequiredMinRxInterval: time.Millisecond}
			p.receive(at, Packet{Data: packet.AppendTo(nil), TTL: 255})
		}
		if (session.State() == bfd.Up) != up {
			t.Fatalf("session %v", session.State())
		}
		return p
	}
	const earlier, later, now = clock.Instant(1000), clock.Instant(2000), clock.Instant(3000)
	for _, tt := range []struct {
		name  string
		paths paths
		want  condition
	}{
		{"it serves, by a path that is Up", paths{said(serving, true, earlier), said(unable, false, later)}, serving},
		{"in another order", paths{said(standby, false, later), said(serving, true, earlier)}, serving},
		{"both are Up", paths{said(serving, true, earlier), said(unable, true, later)}, unable},
		{"neither is Up", paths{said(serving, false, earlier), said(unable, false, later)}, unable},
		{"it serves, by a path that is not", paths{said(standby, true, earlier), said(serving, false, later)}, serving},
	} {
		if got, _ := tt.paths.condition(now); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A peer that stops withdraws from every path, and packets of one path may overtake those of another. What
// it said on the slower path before the withdrawal is out of date; what it says there later is not.
func TestAWithdrawalIsLaterThanWhatWasSaidBefore(t *testing.T) {
	now := clock.Instant(time.Hour)
	cfg := bfd.Config{LocalDiscr: 1, DesiredMinTxInterval: 50 * time.Millisecond, RequiredMinRxInterval: 50 * time.Millisecond, DetectMult: 3}
	ps := make(paths, 2)
	hear := func(i int, state bfd.State, diag bfd.Diag) {
		now = now.Add(time.Millisecond)
		packet := bfd.Packet{State: state, Diag: diag, DetectMult: 3, MyDiscr: 2, YourDiscr: 1, DesiredMinTxInterval: 50 * time.Millisecond, RequiredMinRxInterval: 50 * time.Millisecond}
		ps[i].receive(now, Packet{Data: packet.AppendTo(nil), TTL: 255})
	}
	for i := range ps {
		session, err := bfd.New(cfg, now)
		if err != nil {
			t.Fatal(err)
		}
		ps[i] = path{Path: Path{BFD: cfg}, session: session, said: neverSaid}
		hear(i, bfd.Init, diagOf[serving])
		hear(i, bfd.Up, diagOf[serving])
	}
	for _, step := range []struct {
		what  string
		path  int
		state bfd.State
		diag  bfd.Diag
		want  condition
	}{
		{"serves", 0, bfd.Up, diagOf[serving], serving},
		{"withdraws from the other path", 1, bfd.AdminDown, bfd.DiagAdminDown, unable},
		{"has come back and serves", 0, bfd.Up, diagOf[serving], serving},
		{"stops", 0, bfd.Up, diagOf[unable], unable},
		{"withdraws again", 1, bfd.AdminDown, bfd.DiagAdminDown, unable},
		{"has come back and stands by", 0, bfd.Down, diagOf[standby], standby},
	} {
		hear(step.path, step.state, step.diag)
		if said, _ := ps.condition(now); said != step.want {
			t.Errorf("the peer %s: %v, want %v", step.what, said, step.want)
		}
	}
}

// A packet that a paused node reads too late shows when the peer sent, and nothing else. One that the session would
// discard shows nothing, and neither does the peer's last, after which it sends no more.
func TestOnlyAPacketOfThePeerShowsThatItSentDuringAPause(t *testing.T) {
	const now, came = clock.Instant(10 * time.Second), clock.Instant(9 * time.Second)
	for _, c := range []struct {
		what  string
		state bfd.State
		ttl   uint8
		want  clock.Instant
	}{
		{"a packet of the peer", bfd.Down, 255, came},
		{"a packet that a router has forwarded", bfd.Down, 254, 0},
		{"a withdrawal", bfd.AdminDown, 255, 0},
	} {
		p := &fullNode(t).paths[0]
		p.advance(now)
		packet := bfd.Packet{State: c.state, DetectMult: 3, MyDiscr: 2, DesiredMinTxInterval: time.Second, RequiredMinRxInterval: time.Second}
		p.receive(now, Packet{Data: packet.AppendTo(nil), TTL: c.ttl, At: came})
		if p.waited != c.want || p.came != 0 || p.session.Heard() {
			t.Errorf("%s: the peer sent at %v, want %v; heard %v", c.what, p.waited, c.want, p.session.Heard())
		}
	}
}

// TestWhatAStateSaysOfThePeersService: a node that hands over or claims counts as serving.
func TestWhatAStateSaysOfThePeersService(t *testing.T) {
	for _, c := range []struct {
		role ha.Role
		able bool
		want condition
	}{
		{ha.Master, true, serving}, {ha.Claiming, true, serving}, {ha.Yielding, false, serving},
		{ha.Backup, true, standby}, {ha.Backup, false, unable}, {ha.Fault, false, unable},
	} {
		if got := conditionIn(state{Role: c.role, Rank: ha.Rank{Able: c.able}}); got != c.want {
			t.Errorf("%v, able %v: %d, want %d", c.role, c.able, got, c.want)
		}
	}
}

// TestAConditionCountsWhileTheSessionIsUp: the peer of a slow session says it again after more than a second.
func TestAConditionCountsWhileTheSessionIsUp(t *testing.T) {
	cfg := bfd.Config{LocalDiscr: 1, DesiredMinTxInterval: time.Second, RequiredMinRxInterval: time.Second, DetectMult: 3}
	session, err := bfd.New(cfg, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := path{Path: Path{BFD: cfg}, session: session, said: neverSaid}
	for _, state := range []bfd.State{bfd.Down, bfd.Init, bfd.Up} {
		packet := bfd.Packet{State: state, Diag: diagOf[standby], DetectMult: 3, MyDiscr: 2, DesiredMinTxInterval: time.Second, RequiredMinRxInterval: time.Second}
		if state != bfd.Down {
			packet.YourDiscr = 1
		}
		p.receive(1, Packet{Data: packet.AppendTo(nil), TTL: 255})
	}
	if said := p.condition(clock.Instant(2 * time.Second)); session.State() != bfd.Up || said != standby {
		t.Errorf("two seconds later, session %v: %v, want %v", session.State(), said, standby)
	}
}
