package daemon

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/daemon/internal/netlab"
	"baton/impl/needs"
)

// withGateway configures a host in its own namespace, with a cable to each node, as the pair's
// arbiter.
func withGateway(t *testing.T, p *pair, edit func(*config.Arbiter)) {
	t.Helper()
	host := netlab.Space(t)
	netlab.In(t, host, func() error {
		if err := netlab.Up("lo", "198.18.7.1/32"); err != nil {
			return err
		}
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0o644)
	})
	for i, n := range p.nodes {
		name, network := fmt.Sprintf("gw%d", i), fmt.Sprintf("198.18.%d", 3+i)
		n.in(t, func() error { return netlab.Cable(name, name, host) })
		n.in(t, func() error { return netlab.Up(name, network+".1/24") })
		netlab.In(t, host, func() error { return netlab.Up(name, network+".3/24") })
		n.Arbiter = config.Arbiter{Gateway: config.Address{Addr: netip.MustParseAddr(network + ".3")}, Every: n.Track.Every, Rise: 2, Fall: 3}
		edit(&n.Arbiter)
		n.writeConfig(t)
	}
}

// cutFromGateway drops what the gateway sends to a node, or stops dropping it.
func (n *testNode) cutFromGateway(t *testing.T, lost bool) {
	t.Helper()
	rules := "delete table inet gateway"
	if lost {
		rules = fmt.Sprintf(`table inet gateway { chain in { type filter hook input priority 0; ip saddr %v drop; }; }`, n.Arbiter.Gateway)
	}
	n.in(t, func() error {
		if out, err := exec.Command("nft", rules).CombinedOutput(); err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		return nil
	})
}

// With ping and with TCP probes: a MASTER that loses the gateway hands over; a MASTER that is cut off
// from everybody stops; two nodes that reach the gateway but do not hear each other both serve.
func TestAGatewayStopsTheIsolatedNode(t *testing.T) {
	for name, edit := range map[string]func(*config.Arbiter){
		"icmp": func(*config.Arbiter) {},
		"tcp":  func(a *config.Arbiter) { a.Probe, a.Port = config.ProbeTCP, 179 }, // a refused connection counts as an answer
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			needs.Programs(t, "nft")
			withGateway(t, p, edit)
			p.start(t)
			lb1, lb2 := p.nodes[0], p.nodes[1]
			reached := func(s control.Status) bool { return s.Arbiter.Answers }
			lb1.waitStatus(t, "MASTER that reaches the gateway", func(s control.Status) bool { return s.Role == "Master" && reached(s) })
			lb2.waitStatus(t, "BACKUP that reaches the gateway", func(s control.Status) bool { return syncedBackup(s) && reached(s) })
			lb1.cutFromGateway(t, true)
			lb2.waitStatus(t, "MASTER by a handover", is("Master"))
			lb1.waitStatus(t, "alarmed", alarmed("gateway", "does not answer any more"))
			lb1.cutFromGateway(t, false)
			lb1.waitStatus(t, "in sync again", func(s control.Status) bool { return syncedBackup(s) && reached(s) })

			p.part(t, true)
			p.settles(t, 2, "in a partition in which both reach the gateway")
			lb2.cutFromGateway(t, true)
			lb2.waitStatus(t, "stopped without peer and gateway", is("Backup"))
			p.settles(t, 1, "in a partition in which one reaches the gateway")
			p.part(t, false)
			lb2.cutFromGateway(t, false)
			lb2.waitStatus(t, "in sync after all", syncedBackup)
		})
	}
}
