package bfd

import (
	"net/netip"
	"strings"
	"testing"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// TestRFC5880_6_8_6_SelectSession: Your Discriminator decides alone; without one
// the interface, the peer and the protocol do, or the pair of addresses.
//
// Conformance: RFC 5880 6.8.6/9 6.8.6/10 6.8.6/12; RFC 5881 3/1 4/6 6/3 6/4 2/2
func TestRFC5880_6_8_6_SelectSession(t *testing.T) {
	var table Table[string]
	for discr, path := range map[uint32]Path{
		1: {Interface: "eth0", Remote: addr("198.18.0.2")},
		2: {Interface: "eth0", Remote: addr("2001:2::2")},
		3: {Interface: "eth1", Remote: addr("198.18.0.2")},
		4: {Interface: "ppp0", Remote: addr("0.0.0.0")},
		5: {Local: addr("198.18.0.1"), Remote: addr("198.18.9.9")},
		6: {Local: addr("198.18.1.1"), Remote: addr("198.18.9.9")},
	} {
		if err := table.Add(discr, path, path.String()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		discr uint32
		from  Path
		want  string
	}{
		{"Interface", 0, Path{Interface: "eth0", Remote: addr("198.18.0.2")}, "198.18.0.2 on eth0"},
		{"OtherInterface", 0, Path{Interface: "eth1", Remote: addr("198.18.0.2")}, "198.18.0.2 on eth1"},
		{"OtherProtocol", 0, Path{Interface: "eth0", Remote: addr("2001:2::2")}, "2001:2::2 on eth0"},
		{"UnknownPeer", 0, Path{Interface: "eth0", Remote: addr("198.18.0.3")}, ""},
		{"PointToPointAnySource", 0, Path{Interface: "ppp0", Remote: addr("198.18.7.7")}, "0.0.0.0 on ppp0"},
		{"PointToPointOtherProtocol", 0, Path{Interface: "ppp0", Remote: addr("2001:2::7")}, ""},
		{"Multihop", 0, Path{Local: addr("198.18.0.1"), Remote: addr("198.18.9.9")}, "198.18.9.9 from 198.18.0.1"},
		{"MultihopOtherLocal", 0, Path{Local: addr("198.18.1.1"), Remote: addr("198.18.9.9")}, "198.18.9.9 from 198.18.1.1"},
		{"DiscriminatorAlone", 3, Path{Interface: "eth0", Remote: addr("198.18.0.2")}, "198.18.0.2 on eth1"},
		{"DiscriminatorFromAnywhere", 1, Path{Interface: "eth9", Remote: addr("198.18.200.1")}, "198.18.0.2 on eth0"},
		{"UnknownDiscriminator", 99, Path{Interface: "eth0", Remote: addr("198.18.0.2")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := peerPacket(Down)
			p.YourDiscr = c.discr
			got, ok := table.Find(p.AppendTo(nil), c.from)
			if got != c.want || ok != (c.want != "") {
				t.Errorf("Find = %q, %v; want %q", got, ok, c.want)
			}
		})
	}
	if _, ok := table.Find(make([]byte, headerLen-1), Path{Interface: "eth0", Remote: addr("198.18.0.2")}); ok {
		t.Error("found a session for a short packet")
	}
	table.Remove(1, Path{Interface: "eth0", Remote: addr("198.18.0.2")})
	p := peerPacket(Down)
	p.YourDiscr = 0
	if _, ok := table.Find(p.AppendTo(nil), Path{Interface: "eth0", Remote: addr("198.18.0.2")}); ok {
		t.Error("found a session that was removed")
	}
}

// TestARemovedSessionLeavesItsDiscriminatorAndItsPathToTheNextOne: the next session takes both. A late second
// removal of the former one, by then of a path that another session has, takes nothing from it.
func TestARemovedSessionLeavesItsDiscriminatorAndItsPathToTheNextOne(t *testing.T) {
	var table Table[string]
	path := Path{Interface: "eth0", Remote: addr("198.18.0.2")}
	for _, session := range []struct {
		discr uint32
		name  string
	}{{1, "first"}, {1, "same discriminator"}, {2, "other discriminator"}} {
		if err := table.Add(session.discr, path, session.name); err != nil {
			t.Fatal(err)
		}
		table.Remove(session.discr+10, path)
		p := peerPacket(Down)
		p.YourDiscr = 0
		if got, ok := table.Find(p.AppendTo(nil), path); got != session.name || !ok {
			t.Errorf("Find = %q, %v; want %q", got, ok, session.name)
		}
		table.Remove(session.discr, path)
	}
}

// TestRFC5880_6_8_1_Collisions: two sessions that would collide are refused by name
// and section.
//
// Conformance: RFC 5880 6.3/1 6.8.1/4; RFC 5881 2/1
func TestRFC5880_6_8_1_Collisions(t *testing.T) {
	here := Path{Interface: "eth0", Remote: addr("198.18.0.2")}
	far := Path{Local: addr("198.18.0.1"), Remote: addr("198.18.9.9")}
	for _, c := range []struct {
		name  string
		discr uint32
		path  Path
		want  string
	}{
		{"Discriminator", 1, Path{Interface: "eth1", Remote: addr("198.18.0.2")}, "add session to 198.18.0.2 on eth1: LocalDiscr 1 is taken (RFC 5880 6.8.1)"},
		{"DiscriminatorZero", 0, Path{Interface: "eth1", Remote: addr("198.18.0.2")}, "LocalDiscr is 0 (RFC 5880 6.8.1)"},
		{"SingleHop", 3, here, "add session to 198.18.0.2 on eth0: session 1 is there already (RFC 5881 3"},
		{"Multihop", 3, far, "add session to 198.18.9.9 from 198.18.0.1: session 2 is there already"},
		{"NoRemote", 3, Path{Interface: "eth0"}, "path without a Remote"},
		{"NeitherKind", 3, Path{Remote: addr("198.18.0.2")}, "neither an Interface"},
		{"BothKinds", 3, Path{Interface: "eth0", Local: addr("198.18.0.1"), Remote: addr("198.18.0.2")}, "both an Interface"},
		{"TwoProtocols", 3, Path{Local: addr("198.18.0.1"), Remote: addr("2001:2::2")}, "two protocols"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var table Table[int]
			if err := table.Add(1, here, 1); err != nil {
				t.Fatal(err)
			}
			if err := table.Add(2, far, 2); err != nil {
				t.Fatal(err)
			}
			if err := table.Add(c.discr, c.path, 3); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Add: %v, want %q", err, c.want)
			}
		})
	}
}

// TestRFC5881_4_Ports pins the numbers that the encapsulations use.
func TestRFC5881_4_Ports(t *testing.T) {
	if ControlPort != 3784 || EchoPort != 3785 || MultihopPort != 4784 || FirstSourcePort != 49152 || LastSourcePort != 65535 || TransmitTTL != 255 {
		t.Error("a port or the TTL is not what RFC 5881 sections 4 and 5 and RFC 5883 section 5 say")
	}
}
