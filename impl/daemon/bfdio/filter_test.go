package bfdio

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"golang.org/x/sys/unix"

	"baton/impl/bfd"
)

var addr3 = netip.MustParseAddr("198.18.2.3")

// packet is a control packet for the session 7.
func packet(state bfd.State, yourDiscr uint32) []byte {
	p := bfd.Packet{State: state, DetectMult: 3, MyDiscr: 9, YourDiscr: yourDiscr,
		DesiredMinTxInterval: 50 * time.Millisecond, RequiredMinRxInterval: 50 * time.Millisecond}
	return p.AppendTo(nil)
}

// tally is what a socket says that it dropped.
type tally struct {
	reasons   [bfd.DropKinds]uint64
	strangers uint64
}

func drops(t *testing.T, s *Socket) tally {
	t.Helper()
	reasons, strangers, err := s.Drops()
	if err != nil {
		t.Fatal(err)
	}
	return tally{reasons, strangers}
}

// fate waits until a packet has been received or dropped.
func fate(t *testing.T, s *Socket, before tally) (p Packet, ok bool, after tally) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		p, ok, err := s.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if after := drops(t, s); ok || after != before {
			return p, ok, after
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(s.FD()), Events: unix.POLLIN}}, 1)
	}
	t.Fatal("neither received nor dropped within 5s")
	return p, false, after
}

// TestTheFilterCountsStrangers: what comes from another address than the peer's is
// discarded before anything else of it is looked at.
func TestTheFilterCountsStrangers(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one, err := Open(Config{Link: "a0", Local: addr1, Peer: addr3, LocalDiscr: 7})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(one.Close)
		_ = other.Do(func(ns.NetNS) error { return open(t, "b0", addr2, addr1).Send(packet(bfd.Up, 7)) })
		p, ok, drops := fate(t, one, tally{})
		if ok || drops.strangers != 1 || drops.reasons != [bfd.DropKinds]uint64{} {
			t.Errorf("received %v %x, drops %+v; want one stranger", ok, p.Data, drops)
		}
	})
}

// TestTheFilterAgreesWithASession: what the filter discards a session discards for the
// same reason, each is counted as such, and a packet that a session may take passes.
func TestTheFilterAgreesWithASession(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one, err := Open(Config{Link: "a0", Local: addr1, Peer: addr2, LocalDiscr: 7})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(one.Close)
		if one.filter == nil {
			t.Fatal("the kernel takes no filter")
		}
		var two *Socket
		_ = other.Do(func(ns.NetNS) error { two = open(t, "b0", addr2, addr1); return nil })
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
			if err := unix.SetsockoptInt(two.tx, unix.SOL_IP, unix.IP_TTL, c.ttl); err != nil {
				t.Fatal(err)
			}
			if err := two.Send(c.data); err != nil {
				t.Fatal(err)
			}
			p, ok, after := fate(t, one, before)
			if passes := c.reason == bfd.Drop(bfd.DropKinds); ok != passes || passes && (!bytes.Equal(p.Data, c.data) || after != before) {
				t.Errorf("%s: received %v %x, drops %v then %v", c.name, ok, p.Data, before, after)
			}
			if c.reason == bfd.Drop(bfd.DropKinds) {
				continue
			}
			before.reasons[c.reason]++
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
