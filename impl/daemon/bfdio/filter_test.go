package bfdio

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"golang.org/x/sys/unix"

	"baton/impl/bfd"
	"baton/impl/daemon/internal/netlab"
)

// packet is a control packet for session 7.
func packet(state bfd.State, yourDiscr uint32) []byte {
	p := bfd.Packet{State: state, DetectMult: 3, MyDiscr: 9, YourDiscr: yourDiscr,
		DesiredMinTxInterval: 50 * time.Millisecond, RequiredMinRxInterval: 50 * time.Millisecond}
	return p.AppendTo(nil)
}

// filter loads a filter that passes packets of addr2 for session 7.
func filter(t *testing.T) *Filter {
	t.Helper()
	f, err := NewFilter(FilterConfig{Peer: addr2})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Allow(7, SendTTL); err != nil {
		t.Fatal(err)
	}
	return f
}

func drops(t *testing.T, l *Listener) Drops {
	t.Helper()
	d, err := l.Drops()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// fate waits until a packet was received or dropped.
func fate(t *testing.T, l *Listener, before Drops) (received []Datagram, after Drops) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		received, err := l.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if after := drops(t, l); len(received) > 0 || after != before {
			return received, after
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(l.FD()), Events: unix.POLLIN}}, 1)
	}
	t.Fatal("neither received nor dropped within 5s")
	return nil, after
}

// TestTheFilterCountsUnexpectedSources: a packet from another address than the peer's is dropped
// before any other check.
func TestTheFilterCountsUnexpectedSources(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one, two := listen(t, filter(t)), sender(t, other)
		if err := other.Do(func(ns.NetNS) error { return netlab.Up("b0", "198.18.2.3/24") }); err != nil {
			t.Fatal(err)
		}
		var stranger *Sender
		err := other.Do(func(ns.NetNS) (err error) {
			stranger, err = OpenSender(Route{Link: "b0", Local: addr3, Peer: addr1, Port: Port}, &SourcePorts{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stranger.Close)
		send(t, stranger, packet(bfd.Up, 7))
		if received, after := fate(t, one, Drops{}); len(received) > 0 || after != (Drops{UnexpectedSource: 1}) {
			t.Errorf("received %+v, drops %+v; want one stranger", received, after)
		}
		send(t, two, packet(bfd.Up, 7))
		if received, after := fate(t, one, Drops{UnexpectedSource: 1}); len(received) != 1 || after != (Drops{UnexpectedSource: 1}) {
			t.Errorf("received %+v, drops %+v; want the peer's packet", received, after)
		}
	})
}

// TestTheFilterAgreesWithASession: what the filter discards a session discards for the
// same reason, each is counted as such, and a packet that a session may take passes.
func TestTheFilterAgreesWithASession(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one, two := listen(t, filter(t)), sender(t, other)
		version := packet(bfd.Up, 7)
		version[0] = version[0]&0x1f | 2<<5
		short := packet(bfd.Up, 7)
		short[3] = 23
		for _, c := range []struct {
			name   string
			data   []byte
			ttl    int
			reason bfd.Drop // bfd.DropKinds for none
		}{
			{"Up", packet(bfd.Up, 7), 255, bfd.Drop(bfd.DropKinds)},
			{"Down, not knowing us", packet(bfd.Down, 0), 255, bfd.Drop(bfd.DropKinds)},
			{"AdminDown, not knowing us", packet(bfd.AdminDown, 0), 255, bfd.Drop(bfd.DropKinds)},
			{"from afar", packet(bfd.Up, 7), 254, bfd.DropTTL},
			{"for another", packet(bfd.Up, 8), 255, bfd.DropYourDiscr},
			{"for another by its first byte", packet(bfd.Up, 7<<24), 255, bfd.DropYourDiscr},
			{"Init, not knowing us", packet(bfd.Init, 0), 255, bfd.DropState},
			{"Up, not knowing us", packet(bfd.Up, 0), 255, bfd.DropState},
			{"of another version", version, 255, bfd.DropVersion},
			{"empty", nil, 255, bfd.DropLength},
			{"three bytes", packet(bfd.Up, 7)[:3], 255, bfd.DropLength},
			{"cut", packet(bfd.Up, 7)[:23], 255, bfd.DropTruncated},
			{"cut to its Length", packet(bfd.Up, 7)[:4], 255, bfd.DropTruncated},
			{"too short by its Length", short, 255, bfd.DropLength},
			{"with more behind it", append(packet(bfd.Up, 7), 0, 0), 255, bfd.Drop(bfd.DropKinds)},
		} {
			before := drops(t, one)
			if err := unix.SetsockoptInt(two.fd, unix.SOL_IP, unix.IP_TTL, c.ttl); err != nil {
				t.Fatal(err)
			}
			send(t, two, c.data)
			received, after := fate(t, one, before)
			passed := len(received) == 1 && bytes.Equal(received[0].Data, c.data)
			if passes := c.reason == bfd.Drop(bfd.DropKinds); passed != passes || passes && after != before {
				t.Errorf("%s: received %+v, drops %v then %v", c.name, received, before, after)
			}
			if c.reason == bfd.Drop(bfd.DropKinds) {
				continue
			}
			before.Reasons[c.reason]++
			if after != before {
				t.Errorf("%s: counted as %v, want %v", c.name, after, before)
			}
			s, err := bfd.New(bfd.Config{LocalDiscr: 7, DetectMult: 3, DesiredMinTxInterval: time.Second, RequiredMinRxInterval: time.Second}, 0)
			if err != nil {
				t.Fatal(err)
			}
			var drop *bfd.DropError
			if err := s.Receive(0, c.data, uint8(c.ttl)); !errors.As(err, &drop) || drop.Reason != c.reason {
				t.Errorf("%s: a session says %v, the filter %v", c.name, err, c.reason)
			}
		}
	})
}

// TestTheFilterKnowsItsSessions: packets of allowed sessions pass with the session's
// minimum TTL, and those without a discriminator with the minimum over all sessions.
func TestTheFilterKnowsItsSessions(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		f, err := NewFilter(FilterConfig{})
		if err != nil {
			t.Fatal(err)
		}
		one, two := listen(t, f), sender(t, other)
		const passes = bfd.Drop(bfd.DropKinds)
		check := func(when string, data []byte, ttl int, want bfd.Drop) {
			t.Helper()
			if err := unix.SetsockoptInt(two.fd, unix.SOL_IP, unix.IP_TTL, ttl); err != nil {
				t.Fatal(err)
			}
			before := drops(t, one)
			send(t, two, data)
			received, after := fate(t, one, before)
			if want != passes {
				before.Reasons[want]++
			}
			if (len(received) == 1) != (want == passes) || after != before {
				t.Errorf("%s, TTL %d: %d received, drops %v, want %v", when, ttl, len(received), after, before)
			}
		}
		named, second, unnamed := packet(bfd.Up, 7), packet(bfd.Up, 8), packet(bfd.Down, 0)
		check("no session", named, 255, bfd.DropYourDiscr)
		check("no session, naming none", unnamed, 255, bfd.DropYourDiscr)
		if err := f.Allow(7, 250); err != nil {
			t.Fatal(err)
		}
		check("one session", named, 250, passes)
		check("one session", named, 249, bfd.DropTTL)
		check("one session", unnamed, 250, passes)
		check("one session", unnamed, 249, bfd.DropTTL)
		check("not allowed yet", second, 255, bfd.DropYourDiscr)
		if err := f.Allow(8, 64); err != nil {
			t.Fatal(err)
		}
		check("a second, nearer to all", second, 64, passes)
		check("a second, the first as before", named, 249, bfd.DropTTL)
		check("a second, naming none", unnamed, 64, passes)
	})
}

// TestAFilterOfTheOtherVersionIsRefused: it would read each source address from the wrong place.
func TestAFilterOfTheOtherVersionIsRefused(t *testing.T) {
	for _, cfg := range []FilterConfig{{Peer: netip.IPv6Loopback()}, {Peer: addr2, V6: true}} {
		if f, err := NewFilter(cfg); err == nil || !strings.Contains(err.Error(), "of another IP version") {
			f.Close()
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// TestTheFilterReadsIPv6: hop limit and sender are found in the other header.
func TestTheFilterReadsIPv6(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		here, there := netip.MustParseAddr("2001:2:0:2::1"), netip.MustParseAddr("2001:2:0:2::2")
		for _, c := range []struct {
			peer netip.Addr
			hops int
			want Drops
		}{
			{there, 255, Drops{}}, {there, 254, Drops{Reasons: [bfd.DropKinds]uint64{bfd.DropTTL: 1}}}, {there.Next(), 255, Drops{UnexpectedSource: 1}},
		} {
			f, err := NewFilter(FilterConfig{V6: true, Peer: c.peer})
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Allow(7, SendTTL); err != nil {
				t.Fatal(err)
			}
			one, err := Listen(ListenConfig{Link: "a0", Local: here, Port: Port, Filter: f})
			if err != nil {
				t.Fatal(err)
			}
			err = other.Do(func(ns.NetNS) error {
				two, err := OpenSender(Route{Link: "b0", Local: there, Peer: here, Port: Port}, &SourcePorts{})
				if err != nil {
					return err
				}
				defer two.Close()
				return errors.Join(unix.SetsockoptInt(two.fd, unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS, c.hops), two.Send(packet(bfd.Up, 7)))
			})
			if err != nil {
				t.Fatal(err)
			}
			if received, after := fate(t, one, Drops{}); (len(received) == 1) != (c.want == Drops{}) || after != c.want {
				t.Errorf("from %v as peer, hop limit %d: %d received, drops %+v, want %+v", c.peer, c.hops, len(received), after, c.want)
			}
			one.Close()
		}
	})
}
