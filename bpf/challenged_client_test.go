package bpf

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/needs"
)

// A client's kernel answers a challenge by itself and connects, also behind a firewall or a NAT
// that drops packets that netfilter considers invalid.
func TestAClientAnswersAChallenge(t *testing.T) {
	needs.Programs(t, "nft")
	bothFamilies(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			from func(*lab, *testing.T) ns.NetNS
		}{{"plain", func(l *lab, _ *testing.T) ns.NetNS { return l.client }}, {"with a firewall", (*lab).firewalled}, {"behind a NAT", (*lab).masqueraded}} {
			t.Run(c.name, func(t *testing.T) {
				s := challengeService(dataplane.Limits{SYNChallenge: 1})
				l := newLab(t, labConfig(s))
				l.lease(t, clock.Never)
				go echo(l.listen(t, 8081))
				from := c.from(l, t)
				exchange(t, dialFrom(t, from, challengePort), "before")
				l.press(t)
				const clients = 8 // each is challenged by another number
				for i := range clients {
					forgetValidated(t, l.dp)
					began := time.Now()
					conn := dialFrom(t, from, challengePort)
					t.Logf("connected after %v", time.Since(began))
					exchange(t, conn, fmt.Sprint("hello", i))
				}
				exchange(t, dialFrom(t, from, challengePort), "again") // its source is validated now
				drops := counters(t, l.dp).Dropped
				if drops[dataplane.DropChallenged] != clients || drops[dataplane.DropValidated] != clients || drops[dataplane.DropNoChallenge] != 0 {
					t.Errorf("%d challenges, %d answers, %d wrong ones, want %d, %[4]d and 0",
						drops[dataplane.DropChallenged], drops[dataplane.DropValidated], drops[dataplane.DropNoChallenge], clients)
				}
			})
		}
	})
}

// press brings the service to its challenge threshold.
func (l *lab) press(t *testing.T) {
	t.Helper()
	o := tuple(flow.TCP, otherClient, 50000, vipAddr, challengePort)
	r := flow.Tuple{Proto: flow.TCP, Src: address(backendAddr), SrcPort: 8081, Dst: o.Src, DstPort: o.SrcPort}
	if err := l.dp.Apply([]flow.Entry{{Original: o, Reply: r, State: flow.SynSent, Origin: flow.Synced, Remaining: time.Minute}}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.dp.Sweep(boottime.Now(), 0); err != nil {
		t.Fatal(err)
	}
}

func dialFrom(t *testing.T, n ns.NetNS, port uint16) (conn net.Conn) {
	t.Helper()
	inside(t, n, func() (err error) {
		conn, err = net.DialTimeout("tcp", address(vipAddr).WithPort(port).String(), ioTimeout)
		return err
	})
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// filter gives a namespace nftables rules.
func filter(t *testing.T, n ns.NetNS, rules string) {
	t.Helper()
	inside(t, n, func() error {
		nft := exec.Command("nft", "-f", "-")
		nft.Stdin = strings.NewReader(rules)
		if out, err := nft.CombinedOutput(); err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		return nil
	})
}

// invalid are the rules of a hook that drop TCP packets which netfilter cannot assign to a connection.
const invalid = `chain %[1]s { type filter hook %[1]s priority 0; meta l4proto != tcp accept; ct state invalid counter drop; %[2]s }
`

// firewalled puts a firewall on the client itself.
func (l *lab) firewalled(t *testing.T) ns.NetNS {
	filter(t, l.client, "table inet strict {\n"+fmt.Sprintf(invalid, "input", "ct state established,related accept; drop;")+
		fmt.Sprintf(invalid, "output", "")+"}\n")
	return l.client
}

// masqueraded returns a client behind the lab's client, which becomes a router with NAT and a firewall.
func (l *lab) masqueraded(t *testing.T) ns.NetNS {
	n := newNamespace(t)
	const inner, router = "198.18.5.2", "198.18.5.1"
	wire(t, l.client, "inner0", router+"/24", n, "eth0", inner+"/24")
	knob := "/proc/sys/net/ipv4/ip_forward"
	if inIPv6 {
		addIPv6(t, l.client, "inner0", router)
		addIPv6(t, n, "eth0", inner)
		knob = "/proc/sys/net/ipv6/conf/all/forwarding"
	}
	inside(t, l.client, func() error { return os.WriteFile(knob, []byte("1"), 0) })
	inside(t, n, func() error { return defaultRoute(router) })
	filter(t, l.client, "table inet strict {\n"+fmt.Sprintf(invalid, "forward", "ct state established,related accept; iifname eth0 drop;")+
		"chain nat { type nat hook postrouting priority 100; oifname eth0 masquerade; }\n}\n")
	return n
}
