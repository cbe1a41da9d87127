package daemon

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"baton/impl/daemon/arpwatch"
	"baton/impl/daemon/control"
	"baton/impl/daemon/garp"
)

// squatter is a host on the client network that announces addresses of others.
type squatter struct {
	mac  net.HardwareAddr
	conn *packet.Conn
}

// onNetworkOf makes one at the far end of a link.
func onNetworkOf(t *testing.T, far *testNode, link string) *squatter {
	t.Helper()
	s := &squatter{mac: net.HardwareAddr{2, 0, 0, 0, 0, 0x66}}
	far.in(t, func() error {
		iface, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		s.conn, err = packet.Listen(iface, packet.Raw, unix.ETH_P_ARP, nil)
		return err
	})
	t.Cleanup(func() { s.conn.Close() })
	return s
}

func (s *squatter) announce(t *testing.T, vip netip.Addr) {
	t.Helper()
	if _, err := s.conn.WriteTo(garp.Frame(s.mac, vip), &packet.Addr{HardwareAddr: net.HardwareAddr{255, 255, 255, 255, 255, 255}}); err != nil {
		t.Fatal(err)
	}
}

// hear waits until other hosts have made so many announcements of a VIP.
func (s *squatter) hear(t *testing.T, vip netip.Addr, count uint64) {
	t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	want := vip.As4()
	buf := make([]byte, 128)
	for n := uint64(0); n < count; {
		read, _, err := s.conn.ReadFrom(buf)
		if err != nil {
			t.Fatalf("%d announcements came back, of %d answers: %v", n, count, err)
		}
		if frame := buf[:read]; read >= 42 && slices.Equal(frame[28:32], want[:]) && slices.Equal(frame[38:42], want[:]) {
			n++
		}
	}
}

func claimsOf(s control.Status, vip netip.Addr) (c control.Conflict) {
	for _, c := range s.Conflicts {
		if c.VIP == vip {
			return c
		}
	}
	return c
}

// TestAForeignClaimIsToldAndAnsweredByTheMaster: counted and shown on both nodes, and
// answered only by the MASTER, at a limited rate and after the last claim; announcements of
// the pair's own nodes are not claims.
func TestAForeignClaimIsToldAndAnsweredByTheMaster(t *testing.T) {
	lb1, lb2 := startedPair(t)
	handover(t, lb1)
	lb2.waitStatus(t, "MASTER after the handover", is("Master"))
	lb1.waitStatus(t, "BACKUP and in sync after the handover", syncedBackup)
	master, backup := lb2, lb1
	for _, n := range []*testNode{lb1, lb2} {
		if s := n.waitStatus(t, "with every path up", everyPathUp); len(s.Conflicts) > 0 || len(s.Alarms) > 0 {
			t.Errorf("%s takes the pair's own announcements for foreign: %+v %v", n.Node, s.Conflicts, s.Alarms)
		}
	}

	vip := master.Services[0].VIP
	atBackup := onNetworkOf(t, master, "client0") // frames from the master's end reach the backup
	atBackup.announce(t, vip)
	s := backup.waitStatus(t, "aware of a claim", func(s control.Status) bool { return claimsOf(s, vip).Count > 0 })
	if c := claimsOf(s, vip); c.Answered != 0 || c.MAC != atBackup.mac.String() || s.Role != "Backup" {
		t.Errorf("a %s has %+v", s.Role, c)
	}

	atMaster := onNetworkOf(t, backup, "client0")
	began := time.Now()
	const claims = 50
	atMaster.announce(t, vip)
	// The first report covers all claims until the node has read them.
	master.waitStatus(t, "aware of the first claim", func(s control.Status) bool { return claimsOf(s, vip).Count == 1 })
	for range claims - 1 {
		atMaster.announce(t, vip)
	}
	s = master.waitStatus(t, "done with the claims, and has answered the last", func(s control.Status) bool {
		c := claimsOf(s, vip)
		return c.Count == claims && c.Answered >= 2 // at once, and after the last
	})
	took := time.Since(began)
	if c, most := claimsOf(s, vip), uint64(took/arpwatch.Every)+1; c.Answered > most {
		t.Errorf("%d claims were answered %d times in %v, want at most %d", claims, c.Answered, took, most)
	}
	if !slices.ContainsFunc(s.Alarms, func(a string) bool {
		return strings.Contains(a, vip.String()) && strings.Contains(a, atMaster.mac.String())
	}) {
		t.Errorf("no alarm names the claim: %q", s.Alarms)
	}
	atMaster.hear(t, vip, claimsOf(s, vip).Answered)
	if !strings.Contains(master.log.String(), "is claimed by "+atMaster.mac.String()) {
		t.Errorf("the log does not name the claim:\n%s", master.log.String())
	}
}

// skipIfStalled skips a test whose node must keep its role if the host stalled for longer
// than its lease.
func (n *testNode) skipIfStalled(t *testing.T, s control.Status) {
	t.Helper()
	if late := s.Loop.LateMax; late > n.BFD.Detect()/3 {
		t.Skipf("the host stood still for %v, which proves nothing of a %s", late, s.Role)
	}
}

// keepsServing checks that a node is still MASTER of the same epoch. It skips the test if the host stalled.
func (n *testNode) keepsServing(t *testing.T, since control.Status) {
	t.Helper()
	s := n.waitStatus(t, "answering", func(control.Status) bool { return true })
	if s.Role == "Master" && s.Epoch == since.Epoch {
		return
	}
	n.skipIfStalled(t, s)
	t.Errorf("%s: %s of epoch %d, was MASTER of epoch %d\n%s", n.Node, s.Role, s.Epoch, since.Epoch, n.log.String())
}

// TestAClaimThatMayBeThePeersIsNotAnswered: the peer's hardware address on the backends' link is
// unknown. A claim there comes from another host while the peer is known not to serve. Once the
// peer is not heard, the claim may be the peer's and is reported without an answer. On the
// clients' link the peer's address is remembered.
func TestAClaimThatMayBeThePeersIsNotAnswered(t *testing.T) {
	lb1, lb2 := startedPair(t)
	vip, snat := lb1.Services[0].VIP, lb1.Services[0].SNAT
	clients, backends := onNetworkOf(t, lb2, "client0"), onNetworkOf(t, lb2, "backend0")

	// claimBoth announces both VIPs until lb1's status meets a condition.
	claimBoth := func(what string, enough func(control.Status) bool) control.Status {
		polls := 0
		return lb1.waitStatus(t, what, func(s control.Status) bool {
			if s.Role != "Master" {
				lb1.skipIfStalled(t, s)
			}
			done := enough(s)
			if polls++; !done && polls%50 == 1 { // claims in the first second as MASTER do not count
				clients.announce(t, vip)
				backends.announce(t, snat.Addr)
			}
			return done
		})
	}
	s := claimBoth("aware of both, and answering", func(s control.Status) bool {
		return claimsOf(s, vip).Answered > 0 && claimsOf(s, snat.Addr).Answered > 0
	})
	if c := claimsOf(s, snat.Addr); c.MaybePeer {
		t.Errorf("with a peer that stands by: %+v", c)
	}
	if err := lb2.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	lb2.wait(t)
	lb1.waitStatus(t, "alone", func(s control.Status) bool { return !s.Peer.Known })
	// A claim may be unreported until the next report.
	first := claimBoth("aware of both again", func(s control.Status) bool {
		return claimsOf(s, snat.Addr).MaybePeer
	})
	s = claimBoth("aware of both once more", func(s control.Status) bool {
		return claimsOf(s, vip).Answered > claimsOf(first, vip).Answered && claimsOf(s, snat.Addr).Count > claimsOf(first, snat.Addr).Count
	})
	if c, was := claimsOf(s, snat.Addr), claimsOf(first, snat.Addr); c.Answered != was.Answered || !c.MaybePeer {
		t.Errorf("with a peer that is not heard: %+v, and before %+v", c, was)
	}
	if c := claimsOf(s, vip); c.MaybePeer {
		t.Errorf("on a link where the peer was known: %+v", c)
	}
}
