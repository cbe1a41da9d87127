package capture

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
)

func bytesOf(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAdvertsAreDecoded: field by field as the RFCs lay them out.
func TestAdvertsAreDecoded(t *testing.T) {
	node := flow.IPv4(198, 18, 0, 1)
	v2 := "21 33 96 01 00 01 0000 c6120064 0000000000000000"
	for _, c := range []struct {
		name       string
		ttl, proto uint8
		packet     string
		want       string // "" for none
		resigns    bool
	}{
		{"version 2", 255, protoVRRP, v2, "VRRPv2 advert of router 51, priority 150, every 1s", false},
		{"version 2 with a password", 255, protoVRRP, "21 33 96 01 01 01 0000 c6120064 7365637265740000", "VRRPv2 advert of router 51, priority 150, every 1s, a password", false},
		{"version 2 behind an authentication header", 255, protoAH, "70 04 0000 00000001 00000002 000000000000000000000000" + v2, "VRRPv2 advert of router 51, priority 150, every 1s", false},
		{"version 3, RFC 9568 5.2", 255, protoVRRP, "31 33 64 01 0005 0000 c6120064", "VRRPv3 advert of router 51, priority 100, every 50ms", false},
		{"version 3 that stops, 6.4.3", 255, protoVRRP, "31 33 00 01 0005 0000 c6120064", "VRRPv3 advert of router 51, priority 0, every 50ms", true},
		{"CARP", 255, protoVRRP, "21 07 00 07 00 01 0000" + strings.Repeat("00", 28), "CARP advert of router 7, priority 255, every 1s, an HMAC", false},
		{"CARP that resigns", 255, protoVRRP, "21 07 ff 07 00 ff 0000" + strings.Repeat("00", 28), "CARP advert of router 7, priority 0, every 4m15.99609375s, an HMAC", true},
		{"through a router, 5.1.1.3", 254, protoVRRP, v2, "", false},
		{"too short for its addresses", 255, protoVRRP, "31 33 64 02 0005 0000 c6120064", "", false},
		{"another type than 1", 255, protoVRRP, "32 33 64 01 0005 0000 c6120064", "", false},
		{"version 4", 255, protoVRRP, "41 33 64 01 0005 0000 c6120064", "", false},
		{"another protocol behind the header", 255, protoAH, "06 04 0000 00000001 00000002 000000000000000000000000" + v2, "", false},
		{"a header longer than the packet", 255, protoAH, "70 ff 0000 00000001 00000002", "", false},
		{"nothing", 255, protoVRRP, "", "", false},
	} {
		a := parseAdvert(node, c.ttl, c.proto, bytesOf(t, c.packet))
		if a == nil {
			if c.want != "" {
				t.Errorf("%s: not decoded", c.name)
			}
			continue
		}
		if a.String() != c.want || a.resigns != c.resigns {
			t.Errorf("%s: %s (resigns %v), want %q", c.name, a, a.resigns, c.want)
		}
	}
}

// FuzzAdvert: no packet of protocol 112 or 51 is read past its end.
func FuzzAdvert(f *testing.F) {
	f.Add(uint8(protoVRRP), []byte{0x31, 51, 100, 1, 0, 5, 0, 0, 198, 18, 0, 100})
	f.Add(uint8(protoAH), []byte{0x70, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2})
	f.Fuzz(func(t *testing.T, proto uint8, b []byte) {
		if a := parseAdvert(flow.Addr{}, advertTTL, proto, b); a != nil && len(b) < advertLen {
			t.Fatalf("%x was read as %s", b, a)
		}
	})
}

// recordedRoles collects the recorded roles, as "MS NODE ROLE".
func recordedRoles() (*wireRoles, func(ms int) clock.Instant, *[]string) {
	var said []string
	r := newWireRoles([]string{"lb1", "lb2"}, func(e trace.Event) {
		said = append(said, fmt.Sprintf("%d %s %s", time.Duration(e.At)/time.Millisecond, e.Node, e.Role.To))
	})
	return r, func(ms int) clock.Instant { return clock.Instant(time.Duration(ms) * time.Millisecond) }, &said
}

func expectRoles(t *testing.T, said []string, want ...string) {
	t.Helper()
	if !slices.Equal(said, want) {
		t.Errorf("roles %q, want %q", said, want)
	}
}

// TestRolesByAdverts: the advertising node is Master; a node that is silent while the other
// advertises is Backup since its last advertisement, so a clean takeover never shows two.
func TestRolesByAdverts(t *testing.T) {
	r, at, said := recordedRoles()
	a := &advert{protocol: "VRRPv3", interval: 50 * time.Millisecond}
	r.started("lb1", at(1))
	r.started("lb2", at(2))
	r.advert("lb1", a, at(10))
	r.announces("lb2", "198.18.0.100", at(20)) // adverts win: an address may stay behind
	r.advert("lb1", a, at(60))
	r.advert("lb2", a, at(220))
	r.advert("stranger", a, at(221))
	expectRoles(t, *said, "1 lb1 Backup", "2 lb2 Backup", "10 lb1 Master", "220 lb2 Master", "220 lb1 Backup")
}

// TestTwoMastersByAdverts: both advertise for a while, and both are Master meanwhile.
func TestTwoMastersByAdverts(t *testing.T) {
	r, at, said := recordedRoles()
	a := &advert{protocol: "VRRPv3", interval: 50 * time.Millisecond}
	r.advert("lb1", a, at(0))
	for ms := 10; ms < 200; ms += 50 {
		r.advert("lb2", a, at(ms))
		r.advert("lb1", a, at(ms+20))
	}
	r.advert("lb1", a, at(230))
	r.advert("lb1", a, at(280))
	expectRoles(t, *said, "0 lb1 Master", "10 lb2 Master", "160 lb2 Backup")
}

// TestAStartForgetsTheRole: a load balancer that was restarted is not MASTER until the wire shows it again.
func TestAStartForgetsTheRole(t *testing.T) {
	r, at, said := recordedRoles()
	r.announces("lb1", "198.18.0.100", at(1))
	r.started("lb1", at(2))
	r.carries("lb2", "198.18.0.100", at(3))
	r.started("lb2", at(4))
	r.announces("lb1", "198.18.0.100", at(5))
	expectRoles(t, *said, "1 lb1 Master", "2 lb1 Backup", "3 lb2 Master", "4 lb2 Backup", "5 lb1 Master")
}

func TestAMasterThatResigns(t *testing.T) {
	r, at, said := recordedRoles()
	r.advert("lb1", &advert{interval: time.Second}, at(0))
	r.advert("lb1", &advert{interval: time.Second, resigns: true}, at(500))
	r.advert("lb1", &advert{interval: time.Second, resigns: true}, at(501))
	expectRoles(t, *said, "0 lb1 Master", "500 lb1 Backup")
}

// TestRolesByARP: without adverts the last node to announce the VIP is Master. Packets only
// show the first Master, since later ones may have been in flight.
func TestRolesByARP(t *testing.T) {
	r, at, said := recordedRoles()
	r.carries("lb1", "198.18.0.100", at(1))
	r.carries("lb2", "198.18.0.100", at(2))
	r.announces("lb1", "198.18.0.100", at(3))
	r.announces("lb2", "198.18.0.100", at(4))
	r.announces("client1", "198.18.0.100", at(5))
	expectRoles(t, *said, "1 lb1 Master", "4 lb1 Backup", "4 lb2 Master")
}

// TestTwoMastersByARP: both announce the VIP in turns, and both are Master until one has
// been silent for long. A last answer of the old Master is not a dispute.
func TestTwoMastersByARP(t *testing.T) {
	r, at, said := recordedRoles()
	for ms := 0; ms < 400; ms += 100 {
		r.announces("lb1", "198.18.0.100", at(ms))
		r.announces("lb2", "198.18.0.100", at(ms+50))
	}
	r.announces("lb2", "198.18.0.100", at(1200))
	r.announces("lb2", "198.18.0.100", at(1500))
	r.announces("lb1", "198.18.0.100", at(5000))
	expectRoles(t, *said, "0 lb1 Master", "50 lb1 Backup", "50 lb2 Master", "100 lb2 Backup", "100 lb1 Master", "150 lb2 Master", "300 lb1 Backup",
		"5000 lb2 Backup", "5000 lb1 Master")

	r, at, said = recordedRoles()
	for _, s := range []struct {
		node string
		ms   int
	}{{"lb1", 0}, {"lb1", 3000}, {"lb2", 3150}, {"lb1", 3151}, {"lb2", 4500}} {
		r.announces(s.node, "198.18.0.100", at(s.ms))
	}
	expectRoles(t, *said, "0 lb1 Master", "3150 lb1 Backup", "3150 lb2 Master", "3151 lb2 Backup", "3151 lb1 Master", "4500 lb1 Backup", "4500 lb2 Master")
}
