package interop_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/bfd"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/netns"
)

// echoSource is the source of our echo packets: addresses of lo.
var echoSource = map[string]string{"IPv4": "198.18.77.1", "IPv6": "2001:2:0:77::1"}

// echoLab is a lab in which both hosts forward and we have addresses to send echo packets
// from.
func echoLab(t *testing.T) *lab {
	t.Helper()
	l := newLab(t)
	lo, err := l.ours.Netlink().LinkByName("lo")
	for _, source := range echoSource {
		addr, failed := netlink.ParseAddr(netip.PrefixFrom(netip.MustParseAddr(source), netip.MustParseAddr(source).BitLen()).String())
		if failed == nil {
			failed = l.ours.Netlink().AddrAdd(lo, addr)
		}
		err = errors.Join(err, failed)
	}
	if err != nil {
		t.Fatal(err)
	}
	forward(t, l.ours, true)
	forward(t, l.theirs, true)
	return l
}

// forward switches the forwarding of a host.
func forward(t *testing.T, host *netns.Host, on bool) {
	t.Helper()
	value := map[bool]string{true: "1", false: "0"}[on]
	if err := host.Do(func() error {
		return errors.Join(os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte(value), 0),
			os.WriteFile(filepath.Join("/proc/sys/net", "ipv6/conf/all/forwarding"), []byte(value), 0))
	}); err != nil {
		t.Fatal(err)
	}
}

// echoing makes a session send echo packets.
func echoing(s config.BFDSession, protocol string, interval time.Duration) config.BFDSession {
	s.Echo.TX, s.Echo.Source.Addr = config.Duration(interval), netip.MustParseAddr(echoSource[protocol])
	return s
}

// TestEcho: the Echo function with FRR's bfdd, where each side's kernel returns the other's
// packets; BIRD supports none.
func TestEcho(t *testing.T) {
	t.Run("BIRD", func(t *testing.T) {
		t.Parallel()
		cell(t)
		l := echoLab(t)
		start(t, l, kind{name: "BIRD", protocol: "IPv4"}, 50*ms)
		l.speak(echoing(session("IPv4", 50*ms), "IPv4", 20*ms))
		l.await(t, "our session is Up without echo packets", func(s control.BFDSession) bool {
			return up(s) && s.Transmit == 50*ms && !s.Echo.Active && s.Echo.Sent == 0 && s.Echo.TheirsMinRx == 0
		})
		cannot(t, "it has no Echo function: it announces a Required Min Echo RX Interval of 0, and so gets no echo packets")
	})
	for _, protocol := range []string{"IPv4", "IPv6"} {
		t.Run("FRR "+protocol, func(t *testing.T) {
			t.Parallel()
			t.Run("ours returned by them", func(t *testing.T) { cell(t); echoOfOurs(t, protocol) })
			t.Run("theirs returned by us", func(t *testing.T) { cell(t); echoOfTheirs(t, protocol) })
		})
	}
}

// echoOfOurs: at the negotiated interval, until their forwarding stops, which their BFD
// does not notice.
func echoOfOurs(t *testing.T, protocol string) {
	l := echoLab(t)
	p := start(t, l, kind{name: "FRR", protocol: protocol}, 300*ms)
	l.speak(echoing(session(protocol, 300*ms), protocol, 20*ms))
	// FRR offers to return an echo packet every 50 ms by default.
	l.await(t, "echo packets come back", func(s control.BFDSession) bool {
		return up(s) && s.Echo.Active && s.Echo.Transmit == 50*ms && s.Echo.TheirsMinRx == 50*ms && s.Echo.Received >= 20
	})
	failed := func(c control.BFDChange) bool { return c.To == "Down" && c.Diag == bfd.DiagEchoFailed.String() }
	var s control.BFDSession
	stalled := stalls(l.speaker.PID(), func() {
		forward(t, l.theirs, false)
		s = l.await(t, "our session is Down for it", func(s control.BFDSession) bool { return slices.ContainsFunc(s.Changes, failed) })
	})
	down := s.Changes[slices.IndexFunc(s.Changes, failed)]
	t.Logf("what it was judged by: %+v", s)
	judge(t, down.At.Sub(down.LastReceived), 150*ms, stalled)
	wait(t, "the peer heard why", func() (bool, string) {
		sessions, err := p.(*frrPeer).Sessions(l.ctx)
		return err == nil && len(sessions) == 1 && sessions[0].RemoteDiagnostic == "echo function failed", fmt.Sprintf("%+v, %v", sessions, err)
	})
	forward(t, l.theirs, true)
	before := s.Echo.Received
	l.await(t, "echo packets come back again", func(s control.BFDSession) bool { return up(s) && s.Echo.Active && s.Echo.Received >= before+20 })
}

// echoOfTheirs: bfdd counts what comes back, until our forwarding stops, which our BFD does
// not notice.
func echoOfTheirs(t *testing.T, protocol string) {
	l := echoLab(t)
	s := session(protocol, 300*ms)
	s.Echo.RX = config.Duration(50 * ms)
	l.speak(s)
	p := start(t, l, kind{name: "FRR", protocol: protocol, echo: true}, 300*ms).(*frrPeer)
	sent := l.wire.awaitEcho(t, false)
	if sent.to == netip.MustParseAddr(ourAddr[protocol]) {
		l.await(t, "their session failed", func(s control.BFDSession) bool { return s.RemoteDiag == bfd.DiagEchoFailed.String() })
		cannot(t, fmt.Sprintf("bfdd sends its echo packets to the peer's address, not to its own (%v to %v, TTL %d), so that only another bfdd returns them", sent.from, sent.to, sent.ttl))
	}
	if theirs := netip.MustParseAddr(theirAddr[protocol]); sent != (echoSeen{theirs, theirs, bfd.TransmitTTL}) {
		t.Errorf("bfdd sent %+v, want from and to %v, as the table says", sent, theirs)
	}
	wait(t, "bfdd has had echo packets back", func() (bool, string) {
		c, err := p.Counters(l.ctx)
		return err == nil && len(c) == 1 && c[0].EchoInput >= 20, fmt.Sprintf("%+v, %v", c, err)
	})
	if back := l.wire.awaitEcho(t, true); back.ttl != sent.ttl-1 || back.from != sent.from || back.to != sent.to {
		t.Errorf("bfdd sent %+v, we returned %+v", sent, back)
	}
	forward(t, l.ours, false)
	wait(t, "bfdd is Down for it", func() (bool, string) {
		n := l.wire.count(false, func(p bfd.Packet) bool { return p.State == bfd.Down && p.Diag == bfd.DiagEchoFailed })
		return n > 0, "no packet that says so"
	})
}

// TestUnaffiliatedEcho: with a host that runs no BFD and only forwards.
func TestUnaffiliatedEcho(t *testing.T) {
	for _, protocol := range []string{"IPv4", "IPv6"} {
		t.Run("no BFD "+protocol, func(t *testing.T) {
			t.Parallel()
			cell(t)
			l := echoLab(t)
			s := echoing(session(protocol, 50*ms), protocol, 0)
			s.Mode, s.RX = config.Unaffiliated, 0
			l.speak(s)
			isUp := func(s control.BFDSession) bool {
				return s.State == "Up" && s.Transmit == 50*ms && s.Counters.Received >= 20
			}
			l.await(t, "our session is Up", isUp)
			var down control.BFDSession
			stalled := stalls(l.speaker.PID(), func() {
				forward(t, l.theirs, false)
				down = l.await(t, "our session is Down", func(s control.BFDSession) bool { return s.State == "Down" })
			})
			change := down.Changes[len(down.Changes)-1]
			if change.Diag != bfd.DiagEchoFailed.String() {
				t.Errorf("went down for %q", change.Diag)
			}
			judge(t, change.At.Sub(change.LastReceived), 150*ms, stalled)
			forward(t, l.theirs, true)
			l.await(t, "our session is Up again", isUp)
		})
	}
}

// echoSeen is an echo packet on the wire.
type echoSeen struct {
	from, to netip.Addr
	ttl      uint8
}

// echoPacket finds an echo packet in an IP packet.
func echoPacket(b []byte) (e echoSeen, ok bool) {
	if len(b) < 48 {
		return e, false
	}
	at := 40
	if b[0]>>4 == 4 {
		at = int(b[0]&15) * 4
		e = echoSeen{netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), b[8]}
		ok = b[9] == unix.IPPROTO_UDP
	} else {
		e = echoSeen{netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), b[7]}
		ok = b[6] == unix.IPPROTO_UDP
	}
	return e, ok && binary.BigEndian.Uint16(b[at+2:]) == bfd.EchoPort
}

// awaitEcho waits for an echo packet of one side on the wire and returns the last one.
func (w *wire) awaitEcho(t *testing.T, ours bool) (e echoSeen) {
	t.Helper()
	wait(t, "an echo packet on the wire", func() (ok bool, _ string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		e, ok = w.echoes[ours]
		return ok, "none"
	})
	return e
}
