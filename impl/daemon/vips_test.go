package daemon

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/daemon/config"
)

// answeredBy resolves an address on a link of a node's host and returns the answering
// hardware address, nil if there is none.
func (n *testNode) answeredBy(t *testing.T, link string, addr netip.Addr) (mac net.HardwareAddr) {
	t.Helper()
	n.in(t, func() error {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		if err := os.WriteFile("/proc/sys/net/ipv4/neigh/"+link+"/retrans_time_ms", []byte("100"), 0); err != nil {
			return err
		}
		entry := &netlink.Neigh{LinkIndex: l.Attrs().Index, IP: addr.AsSlice(), Family: unix.AF_INET}
		_ = netlink.NeighDel(entry) // what was known before
		conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: addr.AsSlice(), Port: 9})
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.Write([]byte{0}); err != nil {
			return err
		}
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			list, err := netlink.NeighList(l.Attrs().Index, unix.AF_INET)
			if err != nil {
				return err
			}
			for _, known := range list {
				switch {
				case !known.IP.Equal(entry.IP):
				case known.State&netlink.NUD_FAILED != 0:
					return nil
				case known.HardwareAddr != nil && known.State&(netlink.NUD_REACHABLE|netlink.NUD_STALE|netlink.NUD_DELAY) != 0:
					mac = known.HardwareAddr
					return nil
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("%v is neither resolved nor given up: %v", addr, list)
			}
		}
	})
	return mac
}

func (n *testNode) mac(t *testing.T, link string) (mac net.HardwareAddr) {
	t.Helper()
	n.in(t, func() error {
		l, err := netlink.LinkByName(link)
		if err == nil {
			mac = l.Attrs().HardwareAddr
		}
		return err
	})
	return mac
}

// TestVIPsComeAndGoWithAReload: the MASTER announces and answers for a new VIP, and no
// longer answers for a removed one. A BACKUP answers for neither.
func TestVIPsComeAndGoWithAReload(t *testing.T) {
	p := newPair(t)
	p.start(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	vip, added := lb1.Services[0].VIP, netip.MustParseAddr("198.18.0.101")
	want := lb1.mac(t, "client0").String()
	if got := lb2.answeredBy(t, "client0", vip); got.String() != want {
		t.Fatalf("%v is answered by %v, want the MASTER, %s", vip, got, want)
	}
	if got := lb2.answeredBy(t, "client0", added); got != nil {
		t.Fatalf("%v is answered by %v before any service has it", added, got)
	}
	before := lb1.rounds(t)
	for _, n := range p.nodes {
		n.Services = append(n.Services, n.Services[0])
		n.Services[1].Name, n.Services[1].VIP = "api", added
		n.writeConfig(t)
		n.reload(t)
	}
	if got := lb2.answeredBy(t, "client0", added); got.String() != want {
		t.Errorf("%v is answered by %v, want the MASTER, %s", added, got, want)
	}
	if got := lb1.answeredBy(t, "client0", added); got != nil {
		t.Errorf("%v is answered by %v, although lb2 is BACKUP", added, got)
	}
	for deadline := time.Now().Add(patience); lb1.rounds(t) == before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new VIP is not announced")
		}
	}
	for _, n := range p.nodes {
		n.Services = []config.Service{n.Services[1]}
		n.writeConfig(t)
		n.reload(t)
	}
	if got := lb2.answeredBy(t, "client0", vip); got != nil {
		t.Errorf("%v is answered by %v although no service has it", vip, got)
	}
	if got := lb2.answeredBy(t, "client0", added); got.String() != want {
		t.Errorf("%v is answered by %v, want the MASTER, %s", added, got, want)
	}
	handover(t, lb1)
	lb2.waitStatus(t, "MASTER after the handover", is("Master"))
	if got, want := lb1.answeredBy(t, "client0", added), lb2.mac(t, "client0"); got.String() != want.String() {
		t.Errorf("%v is answered by %v, want the new MASTER, %v", added, got, want)
	}
}

// rounds counts the bursts of announcements that a node has begun.
func (n *testNode) rounds(t *testing.T) int {
	t.Helper()
	return strings.Count(n.trace.String(), `"announce":{"count":1}`)
}
