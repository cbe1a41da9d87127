package node_test

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/arbiter"
	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ctsync"
	"baton/impl/driver"
	"baton/impl/flow"
	. "baton/impl/node"
	"baton/impl/trace"
)

// lab runs two nodes against each other in virtual time: packets and frames have a
// fixed delay, and effects are executed at once unless a test holds them back.
type lab struct {
	t     *testing.T
	now   clock.Instant
	queue labQueue
	order int
	nodes map[string]*labNode
	log   []trace.Event
	// dropBFD and dropSync drop what a node sends.
	dropBFD  map[string]bool // "lb1 clients"
	dropSync map[string]bool
	lose     func(n *labNode, packet []byte) bool // loses one packet of BFD
	loseSync func(n *labNode, frame []byte) bool  // loses one frame of the stream
	slow     time.Duration                        // added to the transit of each packet of BFD
	streams  uint64
	unsafe   bool          // the nodes have their gates off
	divided  bool          // neither node heard the other, and they have not agreed since
	late     time.Duration // every timer comes this much late
	arbiter  arbiter.Register
	remote   map[string]bool // nodes that cannot reach the arbiter
	// undecided: the arbiter does not keep both nodes from forwarding in a partition.
	undecided bool
}

type labNode struct {
	id, peer  string
	cfg       Config
	node      *Node
	driver    *driver.Driver
	table     map[flow.Tuple]flow.Entry
	lease     clock.Instant
	frozen    bool
	down      bool
	stream    uint64       // 0: none
	held      []Input      // inputs received while it was frozen
	announced []Announce   // its gratuitous ARPs
	holdDone  bool         // Done inputs wait in later
	fails     labPlan      // calls that fail
	unsent    map[int]bool // paths on which the kernel refuses to send
	full      map[int]bool // paths on which it refuses only the next packet
	later     []Input
	exited    bool
	effects   int // since the last timer
	guess     bool
	relay     clock.Instant
	onRelease func() // called once, as the lease is released
	peerMACs  map[string]MAC
	expire    bool
	replied   []uint64 // deferred replies that were sent
	dropped   []uint64 // deferred replies that were dropped
	followed  []string // decisions of the peer, as topic=decision, and unfollow
	kept      flow.Pedigree
	walk      []flow.Tuple        // what Walk has yet to pass
	unsound   map[flow.Tuple]bool // entries that packets cannot use
	taken     map[flow.Tuple]bool // reply tuples of flows that are not in table
	heals     int                 // calls of Heal
	merges    int                 // calls of Merge
	// What happens before the next Walk and the next Examine, and at each Drain.
	onWalk, onExamine func()
	onDrain           func(take func([]flow.Event)) (lost bool)
}

type labEvent struct {
	at    clock.Instant
	order int
	node  string
	run   func(n *labNode)
}

type labQueue []labEvent

func (q labQueue) Len() int { return len(q) }
func (q labQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q labQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *labQueue) Push(x any)   { *q = append(*q, x.(labEvent)) }
func (q *labQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

const (
	labDelay   = 200 * time.Microsecond
	labTx      = 50 * time.Millisecond
	labMult    = 3
	labDetect  = labMult * labTx
	labHold    = 500 * time.Millisecond
	labArbiter = 2 * time.Millisecond // round trip to the arbiter
)

func labConfig(id, peer string, priority uint8) Config {
	discr := uint32(1)
	if id > peer {
		discr = 2
	}
	session := func(path uint32) bfd.Config {
		return bfd.Config{LocalDiscr: discr<<8 | path, DesiredMinTxInterval: labTx, RequiredMinRxInterval: labTx,
			DetectMult: labMult, Seed: uint64(discr)<<8 | uint64(path)}
	}
	return Config{
		ID: id, Peer: peer, Priority: priority, Incarnation: uint64(discr), Hold: labHold,
		Paths: []Path{{Name: "clients", BFD: session(1)}, {Name: "sync", BFD: session(2), CarriesSync: true}},
		Links: []string{"client0", "backend0"}, Sync: ctsync.Config{},
	}
}

// jitter draws other intervals between the packets of BFD for each number.
func jitter(number int) func(*Config) {
	return func(c *Config) {
		c.Paths = slices.Clone(c.Paths)
		for i := range c.Paths {
			c.Paths[i].BFD.Seed += uint64(number) << 32
		}
	}
}

// newLab returns a lab whose nodes have not booted.
func newLab(t *testing.T, edit ...func(*Config)) *lab {
	l := &lab{t: t, nodes: map[string]*labNode{}, dropBFD: map[string]bool{}, dropSync: map[string]bool{}, remote: map[string]bool{}}
	for _, cfg := range []Config{labConfig("lb1", "lb2", 150), labConfig("lb2", "lb1", 100)} {
		for _, e := range edit {
			e(&cfg)
		}
		l.nodes[cfg.ID] = &labNode{id: cfg.ID, peer: cfg.Peer, cfg: cfg, down: true, fails: labPlan{}, unsent: map[int]bool{}, unsound: map[flow.Tuple]bool{}, taken: map[flow.Tuple]bool{}, full: map[int]bool{}, peerMACs: map[string]MAC{}}
	}
	return l
}

// newPair returns a lab in which lb1 is MASTER and lb2 in sync.
func newPair(t *testing.T, edit ...func(*Config)) *lab {
	l := newLab(t, edit...)
	l.boot("lb1")
	l.boot("lb2")
	l.until(3*time.Second, "lb1 Master and lb2 in sync", func() bool {
		return l.role("lb1") == "Master" && l.inSync("lb2")
	})
	return l
}

// boot starts a node on a host that has just been powered up.
func (l *lab) boot(id string) {
	n := l.nodes[id]
	n.table, n.lease, n.kept, n.cfg.Adopted = map[flow.Tuple]flow.Entry{}, 0, flow.Pedigree{}, nil
	l.start(id)
}

// restart starts a node that adopts the table of the previous process.
func (l *lab) restart(id string) {
	n := l.nodes[id]
	adopted := n.kept
	adopted.Ended = n.lease
	n.cfg.Adopted = &adopted
	l.start(id)
}

// labMAC is the hardware address of a node's service link.
func labMAC(id string, link byte) MAC { return MAC{2, 0, 0, 0, id[2], link} }

func (l *lab) start(id string) {
	n := l.nodes[id]
	n.cfg.Incarnation += 16
	n.cfg.Paths = slices.Clone(n.cfg.Paths)
	for i := range n.cfg.Paths {
		n.cfg.Paths[i].BFD.LocalDiscr += 1 << 16 // each process draws its own
	}
	node, err := New(n.cfg, l.now)
	if err != nil {
		l.t.Fatal(err)
	}
	n.node, n.down, n.exited, n.stream = node, false, false, 0
	n.held, n.later, n.holdDone = nil, nil, false
	n.driver = driver.New(node, &driver.Faulty{Ports: labPorts{l, n}, Plan: n.fails})
	l.step(n, Link{Name: "client0", Up: true, MAC: labMAC(id, 0)})
	l.step(n, Link{Name: "backend0", Up: true, MAC: labMAC(id, 1)})
	l.step(n, Dataplane{Ready: true})
	l.probe(id, true)
	l.connect()
}

// probe reports a result for every target of a node, as often as a change of state takes.
func (l *lab) probe(id string, answered bool) {
	n := l.nodes[id]
	for range n.cfg.Track.Misses {
		for _, target := range n.cfg.Track.Targets {
			l.step(n, Probe{Target: target, Answered: answered})
		}
	}
	l.reachGateway(id, answered)
}

// reachGateway reports probes of the gateway, answered or not, as often as a change of state takes.
func (l *lab) reachGateway(id string, answered bool) {
	n := l.nodes[id]
	g := n.cfg.Arbiter.Gateway
	for range max(g.Rise, g.Fall+SettledMisses) {
		l.step(n, Probe{Target: g.Name, Answered: answered})
	}
}

// connect establishes a stream soon if both nodes are there and none exists.
func (l *lab) connect() {
	l.after(5*time.Millisecond, "", func(*labNode) {
		a, b := l.nodes["lb1"], l.nodes["lb2"]
		if a.down || b.down || a.frozen || b.frozen || a.stream != 0 || b.stream != 0 {
			return
		}
		if l.dropSync["lb1"] || l.dropSync["lb2"] {
			l.connect()
			return
		}
		l.join()
	})
}

// join establishes a stream now.
func (l *lab) join() {
	a, b := l.nodes["lb1"], l.nodes["lb2"]
	l.streams++
	a.stream, b.stream = l.streams, l.streams
	l.step(a, Stream{ID: l.streams, Up: true})
	l.step(b, Stream{ID: l.streams, Up: true})
}

func (l *lab) crash(id string) {
	n := l.nodes[id]
	n.down, n.lease = true, 0
	n.stream = 0
	// The peer's TCP does not learn of it.
}

// kill ends a node's process. Its dataplane forwards until the lease expires.
func (l *lab) kill(id string) {
	n := l.nodes[id]
	n.down = true
	l.dropStream(n)
}

// filterBFD loses the BFD packets of a node from now on.
func (l *lab) filterBFD(id string) {
	for _, p := range l.nodes[id].cfg.Paths {
		l.dropBFD[id+" "+p.Name] = true
	}
}

func (l *lab) freeze(id string) { l.nodes[id].frozen = true }

// thaw resumes a node. Like the daemon, it reads its sockets first.
func (l *lab) thaw(id string) {
	n := l.nodes[id]
	n.frozen = false
	held := n.held
	n.held = nil
	for _, in := range held {
		if _, ok := in.(Packet); ok {
			l.step(n, in)
		}
	}
	l.step(n, Timer{})
	for _, in := range held {
		if _, ok := in.(Packet); !ok {
			l.step(n, in)
			l.checkForwarders() // the consequences may come later
		}
	}
}

func (l *lab) after(d time.Duration, node string, run func(*labNode)) {
	l.order++
	heap.Push(&l.queue, labEvent{at: l.now.Add(d), order: l.order, node: node, run: run})
}

// step hands an input to a node and carries out its effects.
func (l *lab) step(n *labNode, in Input) {
	if n.down || n.exited {
		return
	}
	if n.frozen {
		n.held = append(n.held, in)
		return
	}
	asked := n.driver.Asked()
	n.driver.Step(in)
	answers := 0
	for in, ok := n.driver.Next(); ok; in, ok = n.driver.Next() {
		if answers++; answers > standstill {
			l.t.Fatalf("at %v %s never rests", l.now, n.id)
		}
		if n.holdDone {
			n.later = append(n.later, in)
			continue
		}
		n.driver.Step(in)
	}
	n.effects += int(n.driver.Asked() - asked)
	if at := n.node.Deadline(); at != clock.Never {
		l.after(max(0, at.Sub(l.now))+l.late, n.id, func(n *labNode) {
			if n.node != nil && n.node.Deadline() <= l.now {
				n.effects = 0
				l.step(n, Timer{})
				if n.node.Deadline() <= l.now && n.effects == 0 && !n.frozen {
					l.t.Errorf("at %v %s wants a timer for %v, although nothing came of the last", l.now, n.id, n.node.Deadline())
				}
			}
		})
	}
}

// release lets the held Done inputs through.
func (l *lab) release(id string) {
	n := l.nodes[id]
	n.holdDone = false
	later := n.later
	n.later = nil
	for _, in := range later {
		l.step(n, in)
	}
}

// dropStream closes the stream on n's side; the peer learns of it if it can.
func (l *lab) dropStream(n *labNode) {
	n.stream = 0
	peer := l.nodes[n.peer]
	if peer.stream != 0 && !peer.down {
		id := peer.stream
		l.after(labDelay, n.peer, func(to *labNode) {
			if to.stream == id {
				to.stream = 0
				l.step(to, Stream{ID: id, Why: "closed by peer"})
				l.connect()
			}
		})
	}
	l.connect()
}

// standstill is more steps than can happen at one instant.
const standstill = 10_000

// run lets time pass.
func (l *lab) run(d time.Duration) { l.until(d, "", nil) }

// until lets time pass until done, and fails the test if it does not happen
// within d. Without done it runs for all of d.
func (l *lab) until(d time.Duration, what string, done func() bool) {
	l.t.Helper()
	end := l.now.Add(d)
	for still := 0; ; still++ {
		if done != nil && done() {
			return
		}
		if len(l.queue) == 0 || l.queue[0].at > end {
			break
		}
		e := heap.Pop(&l.queue).(labEvent)
		if e.at != l.now {
			still = 0
		}
		if l.now = e.at; still > standstill {
			l.t.Fatalf("time stands still at %v: a node wants a timer that has come already\n%s", l.now, l.transcript())
		}
		n := l.nodes[e.node]
		if n == nil || !n.down {
			e.run(n)
		}
		l.checkForwarders()
	}
	l.now = end
	if done != nil {
		l.t.Fatalf("%s: did not happen within %v\n%s", what, d, l.transcript())
	}
}

// hears reports whether anything sent by a node arrives.
func (l *lab) hears(from string) bool {
	for _, p := range l.nodes[from].cfg.Paths {
		if !l.dropBFD[from+" "+p.Name] {
			return true
		}
	}
	return l.nodes["lb1"].stream != 0 && l.nodes["lb1"].stream == l.nodes["lb2"].stream && !l.dropSync[from]
}

// checkForwarders allows both nodes to forward only while neither hears the other, and then
// until they have agreed.
func (l *lab) checkForwarders() {
	both := l.nodes["lb1"].lease > l.now && l.nodes["lb2"].lease > l.now
	switch {
	case !l.hears("lb1") && !l.hears("lb2") && (l.nodes["lb1"].cfg.Arbiter.Validity == 0 || l.undecided):
		l.divided = true
	case !both && l.hears("lb1") && l.hears("lb2"):
		l.divided = false
	}
	if both && !l.divided && !l.unsafe {
		l.t.Fatalf("at %v both nodes forward\n%s", time.Duration(l.now), l.transcript())
	}
}

func (l *lab) role(id string) string {
	n := l.nodes[id]
	if n.down || n.node == nil {
		return "down"
	}
	return n.node.Role().String()
}

func (l *lab) inSync(id string) bool {
	n := l.nodes[id]
	if n.down {
		return false
	}
	said, known := n.node.PeerSaid()
	return n.node.SyncEngineInSync() && known && said.Role.Holds()
}

// labEntry returns the i-th of many flows.
func labEntry(i int) flow.Entry {
	return flow.Entry{
		Original: flow.Tuple{Src: flow.IPv4(198, 18, byte(i>>16), 10), Dst: flow.IPv4(198, 18, 0, 100), SrcPort: uint16(i), DstPort: 80, Proto: flow.TCP},
		Reply:    flow.Tuple{Src: flow.IPv4(198, 18, 1, 11), Dst: flow.IPv4(198, 18, 1, 100), SrcPort: 80, DstPort: uint16(i), Proto: flow.TCP},
		State:    flow.Established, Origin: flow.Opened, Remaining: time.Hour,
	}
}

// newPairAt returns two nodes that have just booted, with a stream of a version.
func newPairAt(t *testing.T, version uint8, edit ...func(*Config)) *lab {
	l := newLab(t, edit...)
	l.boot("lb1")
	l.boot("lb2")
	l.streams++
	for _, id := range []string{"lb1", "lb2"} {
		n := l.nodes[id]
		n.stream = l.streams
		l.step(n, Stream{ID: l.streams, Up: true, Version: version})
	}
	return l
}

// open adds a flow to the dataplane of a node, as the eBPF program would.
func (l *lab) open(id string, i int) flow.Entry {
	e, n := labEntry(i), l.nodes[id]
	n.table[e.Original] = e
	l.step(n, Flows{Events: []flow.Event{{Entry: e}}})
	return e
}

// transcript prints the role, gate and BFD events of the run.
func (l *lab) transcript() string {
	var b strings.Builder
	for _, e := range l.log {
		at := time.Duration(e.At).Round(100 * time.Microsecond)
		switch e.Kind {
		case trace.KindRole:
			if e.Role.Refused != "" {
				fmt.Fprintf(&b, "%8v %s stays %s: %s\n", at, e.Node, e.Role.To, e.Role.Reason)
				continue
			}
			fmt.Fprintf(&b, "%8v %s %s → %s: %s (epoch %d)\n", at, e.Node, e.Role.From, e.Role.To, e.Role.Reason, e.Role.Epoch)
		case trace.KindBFD:
			fmt.Fprintf(&b, "%8v %s bfd %s %s → %s (%s)\n", at, e.Node, e.BFD.Path, e.BFD.From, e.BFD.To, e.BFD.Diag)
		case trace.KindSync:
			fmt.Fprintf(&b, "%8v %s sync %s\n", at, e.Node, e.Sync.Phase)
		case trace.KindAnnounce:
			fmt.Fprintf(&b, "%8v %s announces %d\n", at, e.Node, e.Announce.Count)
		case trace.KindNote:
			fmt.Fprintf(&b, "%8v %s note: %s\n", at, e.Node, e.Note)
		}
	}
	return b.String()
}
