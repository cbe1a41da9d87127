package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"golang.org/x/sys/unix"

	"baton/bpf"
	"baton/impl/daemon/checkproc"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/daemon/internal/netlab"
	"baton/impl/daemon/pki"
	"baton/impl/dataplane"
	"baton/impl/node"
	"baton/impl/trace"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// nodeConfigEnv makes this test binary a node with the named configuration.
const nodeConfigEnv = "BATON_TEST_NODE"

// ordinaryEnv leaves that node's scheduling unchanged.
const ordinaryEnv = "BATON_TEST_ORDINARY"

func TestMain(m *testing.M) {
	if checkproc.Called() {
		os.Exit(checkproc.Main())
	}
	if os.Getenv(hogEnv) != "" {
		hog()
	}
	if arguments := os.Getenv(forgerEnv); arguments != "" {
		if err := forge(arguments); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if arguments := os.Getenv(impostorEnv); arguments != "" {
		fmt.Fprintln(os.Stderr, impersonate(arguments))
		os.Exit(1)
	}
	if dir := os.Getenv(etcdEnv); dir != "" {
		fmt.Fprintln(os.Stderr, serveEtcd(dir))
		os.Exit(1)
	}
	if file := os.Getenv(nodeConfigEnv); file != "" {
		err := Run(context.Background(), Options{
			ConfigFile: file, TraceFD: 3, Ordinary: os.Getenv(ordinaryEnv) != "",
			Dataplane: openTestDataplane, LeftPins: bpf.LeftPins,
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(ExitCode(err))
	}
	os.Exit(m.Run())
}

// flowsEnv gives that node a dataplane in memory that opens so many flows when it may first
// forward; stuckEnv makes its loop block forever in a handover.
const (
	flowsEnv = "BATON_TEST_FLOWS"
	stuckEnv = "BATON_TEST_STUCK"
)

func openTestDataplane(cfg dataplane.Config) (dataplane.Dataplane, error) {
	flows, ok := os.LookupEnv(flowsEnv)
	if !ok {
		return bpf.Open(cfg)
	}
	n, err := strconv.Atoi(flows)
	m := newMemory()
	m.open, m.stuck = n, os.Getenv(stuckEnv) != ""
	return m, err
}

// pair is two nodes' namespaces, joined by three cables, and their configurations.
type pair struct {
	dir   string
	nodes [2]*testNode
}

type testNode struct {
	*config.Config
	file  string
	netns ns.NetNS
	env   []string // beyond that of the test

	cmd   *exec.Cmd
	log   netlab.Buffer
	trace netlab.Buffer
	ended chan error
}

// cables are the links of a pair; each joins the interface of the same name.
var cables = []struct{ name, network string }{
	{"client0", "198.18.0"}, {"backend0", "198.18.1"}, {"sync0", "198.18.2"},
}

func newPair(t testing.TB) *pair {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces and eBPF")
	}
	p := &pair{dir: t.TempDir()}
	if err := pki.Init(p.dir, "lb1", "lb2"); err != nil {
		t.Fatal(err)
	}
	for i := range p.nodes {
		p.nodes[i] = newTestNode(t, p.dir, i+1)
	}
	for _, cable := range cables {
		p.nodes[0].in(t, func() error { return netlab.Cable(cable.name, cable.name, p.nodes[1].netns) })
		for i, n := range p.nodes {
			n.in(t, func() error { return netlab.Up(cable.name, fmt.Sprintf("%s.%d/24", cable.network, i+1)) })
		}
	}
	return p
}

func newTestNode(t testing.TB, dir string, number int) *testNode {
	t.Helper()
	netns := netlab.Space(t)
	netlab.In(t, netns, func() error { return netlab.Up("lo", "127.0.0.2/8") })
	id, peer, other := fmt.Sprintf("lb%d", number), fmt.Sprintf("lb%d", 3-number), 3-number
	cfg := config.Default()
	cfg.Node, cfg.Peer, cfg.HA.Priority = id, peer, uint8(200-50*number)
	cfg.Links = config.Links{Client: "client0", Backend: "backend0"}
	cfg.MaxFlows = 1 << 12 // a large table takes time to make and to free
	host := func(network string, n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("%s.%d", network, n)) }
	for _, path := range []struct{ name, link, network string }{{"clients", "client0", "198.18.0"}, {"sync", "sync0", "198.18.2"}} {
		cfg.BFD.Paths = append(cfg.BFD.Paths, config.Path{
			Name: path.name, Link: path.link, Local: host(path.network, number), Peer: host(path.network, other),
		})
	}
	files := pki.FilesIn(dir, id)
	cfg.Sync = config.Sync{
		Local: netip.AddrPortFrom(host("198.18.2", number), 3790), Peer: netip.AddrPortFrom(host("198.18.2", other), 3790),
		CA: files.CA, Cert: files.Cert, Key: files.Key,
	}
	cfg.BFD.Secret = files.Secret
	cfg.Services = []config.Service{{
		Name: "web", Proto: config.TCP, VIP: host("198.18.0", 100), Port: config.Ports{First: 80}, Mode: config.FullNAT, Balance: config.RoundRobin,
		SNAT: config.Address{Addr: host("198.18.1", 100)}, Backends: []netip.AddrPort{netip.MustParseAddrPort("198.18.1.11:80")},
	}}
	cfg.Control = filepath.Join(dir, id+".sock")
	cfg.Metrics = fmt.Sprintf("198.18.2.%d:9100", number)
	n := &testNode{Config: &cfg, file: filepath.Join(dir, id+".yaml"), netns: netns}
	n.writeConfig(t)
	return n
}

func (n *testNode) writeConfig(t testing.TB) {
	t.Helper()
	text, err := n.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// withoutSecret leaves the node's heartbeat without authentication.
func (n *testNode) withoutSecret(t testing.TB) {
	t.Helper()
	n.BFD.Secret = ""
	n.writeConfig(t)
}

func (n *testNode) in(t testing.TB, f func() error) {
	t.Helper()
	netlab.In(t, n.netns, f)
}

// start runs the node as a process in its namespace.
func (n *testNode) start(t testing.TB) {
	t.Helper()
	traceIn, traceOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	n.cmd = exec.Command("/proc/self/exe")
	n.cmd.Env = append(os.Environ(), nodeConfigEnv+"="+n.file)
	n.cmd.Env = append(n.cmd.Env, n.env...)
	n.cmd.Stderr = &n.log
	n.cmd.ExtraFiles = []*os.File{traceOut}
	n.in(t, n.cmd.Start)
	traceOut.Close()
	n.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan error) {
		_, _ = io.Copy(&n.trace, traceIn)
		traceIn.Close()
		ended <- cmd.Wait()
	}(n.cmd, n.ended)
	t.Cleanup(func() {
		if n.cmd.ProcessState == nil {
			_ = n.cmd.Process.Kill()
			n.wait(t)
		}
	})
}

// wait waits until the process has ended, and returns how.
func (n *testNode) wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-n.ended:
		return err
	case <-time.After(patience):
		t.Fatalf("node %s did not end within %v\n%s", n.Node, patience, n.log.String())
		return nil
	}
}

func (n *testNode) status(ctx context.Context) (control.Status, error) {
	client, err := control.Dial(ctx, n.Control)
	if err != nil {
		return control.Status{}, err
	}
	defer client.Close()
	return client.Status(ctx)
}

// waitStatus waits until the node's status is as wanted.
func (n *testNode) waitStatus(t testing.TB, what string, want func(control.Status) bool) control.Status {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var last control.Status
	var err error
	for ctx.Err() == nil {
		var now control.Status
		if now, err = n.status(ctx); err == nil {
			if last = now; want(now) {
				return now
			}
		}
		time.Sleep(2*time.Millisecond + time.Since(began)/100) // what never comes costs no whole core
	}
	t.Fatalf("%s is not %s within %v: %+v, %v\n%s", n.Node, what, patience, last.Status, err, n.log.String())
	return last
}

func is(role string) func(control.Status) bool {
	return func(s control.Status) bool { return s.Role == role }
}

func syncedBackup(s control.Status) bool { return s.Role == "Backup" && s.InSync && s.Peer.Stream }

// startedPair returns a pair that runs, and its nodes once lb1 is MASTER and lb2 is BACKUP
// and in sync.
func startedPair(t testing.TB) (master, backup *testNode) {
	t.Helper()
	p := newPair(t)
	p.start(t)
	return p.nodes[0], p.nodes[1]
}

// start starts both nodes and waits for their roles. On a busy host lb2 may boot so much
// earlier than lb1 that it is MASTER; then it hands over.
func (p *pair) start(t testing.TB) {
	t.Helper()
	for _, n := range p.nodes {
		n.start(t)
	}
	s := p.nodes[0].waitStatus(t, "MASTER by its priority, or BACKUP of a MASTER and in sync", func(s control.Status) bool {
		return s.Role == "Master" || syncedBackup(s) && s.Peer.Role == "Master"
	})
	if s.Role == "Backup" {
		handover(t, p.nodes[1])
		p.nodes[0].waitStatus(t, "MASTER after a handover", is("Master"))
	}
	p.nodes[1].waitStatus(t, "BACKUP and in sync", syncedBackup)
}

// TestPair runs a pair: one MASTER from a cold start, a requested handover, one by SIGTERM,
// and a crash. It pins that the parts are connected; scenarios judge what clients see of
// it.
func TestPair(t *testing.T) {
	p := newPair(t)
	p.start(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	master, backup := lb1, lb2

	checkMetrics(t, master)
	checkRefusal(t, backup)

	handover(t, master)
	backup.waitStatus(t, "MASTER after the handover", is("Master"))
	master.waitStatus(t, "BACKUP and in sync after the handover", syncedBackup)
	master, backup = backup, master

	if err := master.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	backup.waitStatus(t, "MASTER after the other's SIGTERM", is("Master"))
	if err := master.wait(t); err != nil {
		t.Errorf("the node that was told to stop: %v\n%s", err, master.log.String())
	}
	if _, err := os.Stat(master.Control); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left its control socket behind: %v", err)
	}
	checkTrace(t, master)

	master.start(t)
	master.waitStatus(t, "BACKUP and in sync after a restart", syncedBackup)
	master, backup = backup, master

	if err := master.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s := backup.waitStatus(t, "MASTER after the other's crash", is("Master"))
	if s.Peer.Stream {
		t.Errorf("the stream to a dead peer still stands: %+v", s.Peer)
	}
	master.wait(t)
	if t.Failed() {
		t.Logf("lb1:\n%s\nlb2:\n%s", lb1.log.String(), lb2.log.String())
	}
}

// handover asks a node to hand over, as soon as it can.
func handover(t testing.TB, n *testNode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := control.Dial(ctx, n.Control)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for err = client.Handover(ctx); err != nil && ctx.Err() == nil; err = client.Handover(ctx) {
		time.Sleep(2 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// checkRefusal pins that an impossible handover is refused with the reason.
func checkRefusal(t *testing.T, backup *testNode) {
	t.Helper()
	client, err := control.Dial(context.Background(), backup.Control)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var refused *control.Refused
	if err := client.Handover(context.Background()); !errors.As(err, &refused) || !strings.Contains(refused.Why, "only a MASTER") {
		t.Errorf("handover of a BACKUP: %v", err)
	}
}

func checkMetrics(t *testing.T, n *testNode) {
	t.Helper()
	n.scrape(t, `baton_role{role="Master"} 1`, `baton_bfd_state{path="sync",state="Up"} 1`)
}

// scrape pins that a node's metrics have samples.
func (n *testNode) scrape(t *testing.T, samples ...string) {
	t.Helper()
	var body []byte
	n.in(t, func() error {
		transport := &http.Transport{DisableKeepAlives: true, DialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			var conn net.Conn
			err := n.netns.Do(func(ns.NetNS) (err error) { conn, err = net.Dial(network, addr); return err })
			return conn, err
		}}
		response, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://" + n.Metrics + "/metrics")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err = io.ReadAll(response.Body)
		return err
	})
	for _, want := range samples {
		if !strings.Contains(string(body), want) {
			t.Errorf("metrics of %s lack %s", n.Node, want)
		}
	}
}

// checkTrace pins that a node's trace is complete and has its roles.
func checkTrace(t *testing.T, n *testNode) {
	t.Helper()
	events, err := trace.Read(strings.NewReader(n.trace.String()))
	if err != nil {
		t.Fatal(err)
	}
	var roles []string
	for _, e := range events {
		if e.Node != n.Node {
			t.Fatalf("an event of node %q in the trace of %s", e.Node, n.Node)
		}
		if e.Kind == trace.KindRole && e.Role.Refused == "" {
			roles = append(roles, e.Role.To)
		}
	}
	if len(roles) < 4 || roles[0] != "Backup" {
		t.Errorf("roles of %s: %v", n.Node, roles)
	}
}

// TestASecondSignalEndsANodeAtOnce pins that a second signal ends a node that cannot leave.
func TestASecondSignalEndsANodeAtOnce(t *testing.T) {
	p := newPair(t)
	for _, n := range p.nodes {
		n.env = []string{flowsEnv + "=0", stuckEnv + "=1"}
		n.start(t)
	}
	n := p.nodes[0]
	n.waitStatus(t, "MASTER with a peer in sync", func(s control.Status) bool {
		return s.Role == "Master" && slices.ContainsFunc(s.Gates, func(g node.GateStatus) bool { return g.Name == "PeerReady" && g.Open })
	})
	for _, said := range []string{"node stops", "ended at once by a second signal"} {
		if err := n.cmd.Process.Signal(unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); !strings.Contains(n.log.String(), said); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s did not say %q:\n%s", n.Node, said, n.log.String())
			}
		}
	}
	var exit *exec.ExitError
	if err := n.wait(t); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("ended with %v, want exit code 1", err)
	}
}

// TestBadConfigurationExitsWith2 pins the message of a process that cannot start.
func TestBadConfigurationExitsWith2(t *testing.T) {
	p := newPair(t)
	n := p.nodes[0]
	text, err := os.ReadFile(n.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.file, bytes.Replace(text, []byte("preempt: never"), []byte("preempt: allways"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	n.start(t)
	var exit *exec.ExitError
	if err := n.wait(t); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("ended with %v, want exit code 2", err)
	}
	line := strings.TrimSpace(n.log.String())
	if strings.Count(line, "\n") != 0 || !strings.HasPrefix(line, "lb1.yaml:") || !strings.HasSuffix(line, `ha.preempt: "allways" is not a policy; use never or after-sync`) {
		t.Errorf("said %q", line)
	}
}
