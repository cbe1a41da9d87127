package speaker

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/daemon/internal/netlab"
)

// patience bounds the wait for what takes a second or two: a session that is not Up sends
// once a second.
const patience = 20 * time.Second

// end is one side of a cable, each in a namespace of its own.
type end struct {
	t     testing.TB
	space ns.NetNS
	link  string
}

// cable connects two namespaces by a0 and b0, with addresses of both IP versions that end
// in 1 and 2.
func cable(t testing.TB) (a, b *end) {
	t.Helper()
	a, b = &end{t: t, link: "a0", space: netlab.Space(t)}, &end{t: t, link: "b0", space: netlab.Space(t)}
	a.do(func() error { return netlab.Cable(a.link, b.link, b.space) })
	a.up("198.18.9.1/24", "2001:2:0:9::1/64")
	b.up("198.18.9.2/24", "2001:2:0:9::2/64")
	return a, b
}

// do runs f in the namespace.
func (e *end) do(f func() error) {
	e.t.Helper()
	netlab.In(e.t, e.space, f)
}

func (e *end) up(prefixes ...string) {
	e.t.Helper()
	e.do(func() error {
		if err := netlab.Up("lo"); err != nil {
			return err
		}
		return netlab.Up(e.link, prefixes...)
	})
}

// speak runs a speaker with sessions in the namespace until the test ends.
func (e *end) speak(sessions ...config.BFDSession) controller {
	e.t.Helper()
	var s *Speaker
	e.do(func() (err error) {
		s, err = Open(&config.Speaker{Sessions: sessions}, slog.New(slog.DiscardHandler))
		return err
	})
	ended := make(chan error, 1)
	go func() { ended <- s.Run() }()
	e.t.Cleanup(func() {
		s.Stop()
		if err := <-ended; err != nil {
			e.t.Error(err)
		}
		s.Close()
	})
	return controller{s}
}

// to returns a session of 20 ms × 3 from one end to the other.
func (e *end) to(local, peer string) config.BFDSession {
	return config.BFDSession{
		Name: peer, Mode: config.SingleHop, Interface: e.link,
		Local: config.Address{Addr: netip.MustParseAddr(local)}, Peer: config.Address{Addr: netip.MustParseAddr(peer)},
		TX: config.Duration(20 * time.Millisecond), RX: config.Duration(20 * time.Millisecond), Mult: 3,
	}
}

// multihop makes a session of one that crosses up to one router.
func multihop(s config.BFDSession) config.BFDSession {
	s.Mode, s.Interface, s.MinTTL = config.MultiHop, "", 254
	return s
}

func status(t *testing.T, c controller) control.BFDStatus {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// await waits until every session of a speaker meets a condition.
func await(t *testing.T, c controller, what string, holds func(control.BFDSession) bool) control.BFDStatus {
	t.Helper()
	return awaitStatus(t, c, "every session "+what, func(s control.BFDStatus) bool {
		return !slices.ContainsFunc(s.Sessions, func(x control.BFDSession) bool { return !holds(x) })
	})
}

// awaitStatus waits until a speaker's status meets a condition.
func awaitStatus(t *testing.T, c controller, what string, holds func(control.BFDStatus) bool) control.BFDStatus {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		s := status(t, c)
		if holds(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s: %+v", patience, what, s)
		}
	}
}

func isUp(x control.BFDSession) bool { return x.State == "Up" && x.RemoteState == "Up" }

// TestSessionsComeUpOverBothProtocolsAndKinds: single hop and multihop, IPv4 and
// IPv6, side by side between one pair of systems.
func TestSessionsComeUpOverBothProtocolsAndKinds(t *testing.T) {
	a, b := cable(t)
	var left, right []config.BFDSession
	for _, pair := range [][2]string{{"198.18.9.1", "198.18.9.2"}, {"2001:2:0:9::1", "2001:2:0:9::2"}} {
		here, there := a.to(pair[0], pair[1]), b.to(pair[1], pair[0])
		left, right = append(left, here), append(right, there)
		here.Name, there.Name = "far "+here.Name, "far "+there.Name
		left, right = append(left, multihop(here)), append(right, multihop(there))
	}
	one, two := a.speak(left...), b.speak(right...)
	settled := func(x control.BFDSession) bool { return isUp(x) && !x.Polling && x.Detection == 60*time.Millisecond }
	s := await(t, one, "is Up at 20 ms", settled)
	await(t, two, "is Up at 20 ms", settled)
	ports := map[int]bool{}
	for _, x := range s.Sessions {
		if ports[x.SourcePort] || x.SourcePort < 49152 || x.SourcePort > 65535 {
			t.Errorf("session %s has source port %d; others have %v", x.Name, x.SourcePort, ports)
		}
		ports[x.SourcePort] = true
	}
	if s.NoSession != 0 {
		t.Errorf("%d packets found no session", s.NoSession)
	}
}

// TestRFC5880_6_8_1_DiscriminatorsOfASpeaker: each start draws new ones, so knowledge of old
// ones is useless.
//
// Conformance: RFC 5880 6.8.1/5
func TestRFC5880_6_8_1_DiscriminatorsOfASpeaker(t *testing.T) {
	a, b := cable(t)
	drawn := map[uint32]bool{}
	for _, e := range []*end{a, b} {
		var sessions []config.BFDSession
		for i := range 8 {
			sessions = append(sessions, e.to("198.18.9.1", fmt.Sprintf("198.18.9.%d", 10+i)))
		}
		for _, x := range status(t, e.speak(sessions...)).Sessions {
			drawn[x.LocalDiscr] = true
		}
	}
	if len(drawn) != 16 || drawn[0] {
		t.Errorf("two lives with 8 sessions each have the discriminators %v, want 16 different ones", drawn)
	}
}

// TestAPeerThatGoesSilentIsMissedWithinTheDetectionTime: and not before it ends.
func TestAPeerThatGoesSilentIsMissedWithinTheDetectionTime(t *testing.T) {
	a, b := cable(t)
	one, two := a.speak(a.to("198.18.9.1", "198.18.9.2")), b.speak(b.to("198.18.9.2", "198.18.9.1"))
	await(t, one, "is Up", isUp)
	await(t, two, "is Up", isUp)
	b.do(func() error {
		link, err := netlink.LinkByName(b.link)
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(link)
	})
	s := await(t, one, "is Down", func(x control.BFDSession) bool { return x.State == "Down" })
	changes := s.Sessions[0].Changes
	down := changes[len(changes)-1]
	if down.Diag != "Control Detection Time Expired" {
		t.Fatalf("went down for %q", down.Diag)
	}
	if waited := down.At.Sub(down.LastReceived); waited < 60*time.Millisecond {
		t.Errorf("declared down %v after the last packet, before the Detection Time of 60ms was over", waited)
	}
}

// TestDemandModeOnTheWire: with both sides in Demand mode nothing is sent and silence is
// not a failure; a Poll is answered, and an unanswered one takes the session down; without
// Demand mode packets continue.
func TestDemandModeOnTheWire(t *testing.T) {
	a, b := cable(t)
	here, there := a.to("198.18.9.1", "198.18.9.2"), b.to("198.18.9.2", "198.18.9.1")
	here.Demand, there.Demand = true, true
	one, two := a.speak(here), b.speak(there)
	silent := func(x control.BFDSession) bool { return isUp(x) && x.Demand && !x.Polling }
	await(t, two, "is Up in Demand mode", silent)
	before := await(t, one, "is Up in Demand mode", silent)
	sent := func(s control.BFDStatus) uint64 { return s.Sessions[0].Counters.Sent + s.Sessions[0].Counters.Received }

	const while = 40 * 20 * time.Millisecond // forty packets each way, thirteen Detection Times
	after := awaitStatus(t, one, "has let time pass", func(s control.BFDStatus) bool { return s.Now.Sub(before.Now) > while })
	if n := sent(after) - sent(before); n > 4 || !isUp(after.Sessions[0]) { // a last Final each way may have been under way
		t.Errorf("%d packets within %v in Demand mode, state %s", n, while, after.Sessions[0].State)
	}

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(one.Poll(ctx, here.Name))
	await(t, one, "heard the Final", func(x control.BFDSession) bool {
		return silent(x) && x.Counters.Received > after.Sessions[0].Counters.Received
	})

	must(two.Demand(ctx, there.Name, false))
	await(t, one, "hears no more of Demand mode, and sends", func(x control.BFDSession) bool {
		return isUp(x) && !x.Demand && x.Counters.Sent > after.Sessions[0].Counters.Sent+20
	})
	must(two.Demand(ctx, there.Name, true))
	await(t, one, "is asked for silence again", silent)

	b.do(func() error {
		link, err := netlink.LinkByName(b.link)
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(link)
	})
	must(one.Poll(ctx, here.Name))
	await(t, one, "is Down for an unanswered Poll", func(x control.BFDSession) bool {
		return x.State == "Down" && x.Diag == "Control Detection Time Expired"
	})
}

// TestTheVerbsOfTheControlSocket: hold, release, change, reset.
func TestTheVerbsOfTheControlSocket(t *testing.T) {
	a, b := cable(t)
	one, two := a.speak(a.to("198.18.9.1", "198.18.9.2")), b.speak(b.to("198.18.9.2", "198.18.9.1"))
	await(t, one, "is Up", isUp)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(one.Intervals(ctx, "198.18.9.2", 50*time.Millisecond, 40*time.Millisecond))
	await(t, two, "knows the new intervals", func(x control.BFDSession) bool {
		return x.Theirs.MinTx == 50*time.Millisecond && x.Theirs.MinRx == 40*time.Millisecond && x.Detection == 150*time.Millisecond
	})
	must(one.AdminDown(ctx, "198.18.9.2", true))
	await(t, two, "is Down for the peer's word", func(x control.BFDSession) bool {
		return x.State == "Down" && x.RemoteState == "AdminDown" && x.Diag == "Neighbor Signaled Session Down"
	})
	must(one.AdminDown(ctx, "198.18.9.2", false))
	await(t, one, "is Up again", isUp)
	must(one.Reset(ctx, "198.18.9.2"))
	await(t, two, "heard of the reset", func(x control.BFDSession) bool { return x.RemoteDiag == "Forwarding Plane Reset" })
	if err := one.Reset(ctx, "nobody"); err == nil {
		t.Error("a session that does not exist was reset")
	}
	if err := one.Intervals(ctx, "198.18.9.2", 0, time.Second); err == nil {
		t.Error("an interval of 0 was taken")
	}
}
