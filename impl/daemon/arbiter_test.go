package daemon

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"go.etcd.io/etcd/server/v3/embed"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/daemon/internal/netlab"
	"baton/impl/needs"
)

// etcdEnv makes this test binary a one-member etcd cluster; its value is the data folder.
const etcdEnv = "BATON_TEST_ETCD"

// serveEtcd serves until the process is killed.
func serveEtcd(dir string) error {
	cfg := embed.NewConfig()
	cfg.Dir, cfg.LogLevel = dir, "error"
	client, peer := url.URL{Scheme: "http", Host: "0.0.0.0:2379"}, url.URL{Scheme: "http", Host: "127.0.0.1:2380"}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	return <-e.Err()
}

// etcdServer is an etcd process in its own namespace, with a cable to each node.
type etcdServer struct {
	dir   string
	netns ns.NetNS
	cmd   *exec.Cmd
	log   netlab.Buffer
}

// withArbiter starts etcd and configures it on both nodes, before they start.
func withArbiter(t *testing.T, p *pair, policy config.Policy) *etcdServer {
	t.Helper()
	c := &etcdServer{dir: t.TempDir(), netns: netlab.Space(t)}
	netlab.In(t, c.netns, func() error { return netlab.Up("lo", "127.0.0.1/8") })
	for i, n := range p.nodes {
		name, network := fmt.Sprintf("arb%d", i), fmt.Sprintf("198.18.%d", 3+i)
		n.in(t, func() error { return netlab.Cable(name, name, c.netns) })
		n.in(t, func() error { return netlab.Up(name, network+".1/24") })
		netlab.In(t, c.netns, func() error { return netlab.Up(name, network+".3/24") })
		n.Arbiter = config.Arbiter{Etcd: []string{"http://" + network + ".3:2379"}, Key: "/pair", Validity: config.Duration(time.Second), Policy: policy}
		n.writeConfig(t)
	}
	c.start(t)
	return c
}

func (c *etcdServer) start(t *testing.T) {
	t.Helper()
	c.cmd = exec.Command("/proc/self/exe")
	c.cmd.Env = append(os.Environ(), etcdEnv+"="+c.dir)
	c.cmd.Stderr = &c.log
	netlab.In(t, c.netns, c.cmd.Start)
	cmd := c.cmd
	t.Cleanup(func() { c.end(cmd) })
}

func (c *etcdServer) end(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// part drops all packets between the nodes, or stops dropping them.
func (p *pair) part(t *testing.T, parted bool) {
	t.Helper()
	rules := "delete table inet parted"
	if parted {
		rules = `table inet parted { chain in { type filter hook input priority 0; udp dport 3784 drop; tcp dport 3790 drop; tcp sport 3790 drop; }; }`
	}
	for _, n := range p.nodes {
		n.in(t, func() error {
			if out, err := exec.Command("nft", rules).CombinedOutput(); err != nil {
				return fmt.Errorf("nft: %w: %s", err, out)
			}
			return nil
		})
	}
}

// roles returns the roles of both nodes.
func (p *pair) roles(t *testing.T) (roles [2]string) {
	t.Helper()
	for i, n := range p.nodes {
		s, err := n.status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		roles[i] = s.Role
	}
	return roles
}

// settles waits until there is this number of MASTERs, then fails if more appear within a while.
func (p *pair) settles(t *testing.T, masters int, during string) {
	t.Helper()
	count := func() (n int) {
		for _, role := range p.roles(t) {
			if role == "Master" {
				n++
			}
		}
		return n
	}
	for deadline := time.Now().Add(patience); count() != masters; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v, want %d MASTER\nlb1:\n%s\nlb2:\n%s", during, p.roles(t), masters, p.nodes[0].log.String(), p.nodes[1].log.String())
		}
	}
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if n := count(); n > masters {
			t.Fatalf("%s: %d MASTERs, want %d\nlb1:\n%s\nlb2:\n%s", during, n, masters, p.nodes[0].log.String(), p.nodes[1].log.String())
		}
	}
}

// In a partition etcd leaves the pair one MASTER. While etcd is dead there is none, and one
// again after its return. While the nodes hear each other, they do not need etcd.
func TestAnArbiterDecides(t *testing.T) {
	p := newPair(t)
	needs.Programs(t, "nft")
	c := withArbiter(t, p, config.PolicyFailClosed)
	p.start(t)

	p.part(t, true)
	p.settles(t, 1, "in a partition")
	c.end(c.cmd)
	p.settles(t, 0, "in a partition without etcd")
	c.start(t)
	p.settles(t, 1, "with etcd back")
	p.part(t, false)
	one := func(s control.Status) bool { return s.Role == "Master" || syncedBackup(s) }
	for _, n := range p.nodes {
		n.waitStatus(t, "MASTER, or BACKUP and in sync, after the partition", one)
	}
	p.settles(t, 1, "after the partition")
	c.end(c.cmd)
	p.settles(t, 1, "with each other, and without etcd")
}

// unreached drops a node's packets to etcd, or stops dropping them.
func (n *testNode) unreached(t *testing.T, lost bool) {
	t.Helper()
	rules := "delete table inet unreached"
	if lost {
		rules = `table inet unreached { chain in { type filter hook input priority 0; tcp sport 2379 drop; }; }`
	}
	n.in(t, func() error {
		if out, err := exec.Command("nft", rules).CombinedOutput(); err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		return nil
	})
}

// Under keep-serving the MASTER continues without etcd in a partition and after its peer's death,
// and raises an alarm. The peer does not claim.
func TestTheMasterServesOnWithoutEtcd(t *testing.T) {
	p := newPair(t)
	needs.Programs(t, "nft")
	c := withArbiter(t, p, config.PolicyKeepServing)
	p.start(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	lb1.waitStatus(t, "an arbiter that answers", func(s control.Status) bool { return s.Arbiter != nil && s.Arbiter.Answers })
	c.end(c.cmd)
	for _, n := range p.nodes {
		n.waitStatus(t, "alarmed by the arbiter", alarmed("the arbiter does not answer", "keep-serving"))
	}
	before := lb1.waitStatus(t, "MASTER", is("Master"))
	p.part(t, true)
	lb1.waitStatus(t, "alarmed by the partition", alarmed("without peer and arbiter"))
	p.settles(t, 1, "in a partition without etcd")
	p.part(t, false)
	lb2.waitStatus(t, "in sync", syncedBackup)
	lb2.killed(t)
	lb1.waitStatus(t, "alarmed by the end of its peer", alarmed("without peer and arbiter"))
	lb1.scrape(t, "baton_serving_without_arbiter 1", "baton_arbiter_answers 0")
	lb1.keepsServing(t, before)
}

// Only the MASTER has lost etcd: under keep-serving it continues in a partition beside the peer to
// which etcd grants the role. This is the price of keep-serving. It stops once it reaches etcd.
func TestAMasterCutOffFromEtcdServesBesideItsPeer(t *testing.T) {
	p := newPair(t)
	needs.Programs(t, "nft")
	withArbiter(t, p, config.PolicyKeepServing)
	p.start(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	lb1.unreached(t, true)
	lb1.waitStatus(t, "alarmed by the arbiter", alarmed("the arbiter does not answer"))
	p.part(t, true)
	lb2.waitStatus(t, "MASTER by the word of etcd", is("Master"))
	lb1.waitStatus(t, "MASTER without it", is("Master"))
	lb1.unreached(t, false)
	lb1.waitStatus(t, "told by etcd", is("Backup"))
	p.settles(t, 1, "with etcd back")
}

// After etcd and the peer are lost at one instant there is again one MASTER, and never two.
func TestEtcdAndPeerLostTogether(t *testing.T) {
	p := newPair(t)
	needs.Programs(t, "nft")
	c := withArbiter(t, p, config.PolicyKeepServing)
	p.start(t)
	p.part(t, true)
	c.end(c.cmd)
	p.settles(t, 1, "without peer and etcd")
}
