package explore

import (
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ctsync"
	"baton/impl/driver"
	"baton/impl/flow"
	"baton/impl/ha"
	"baton/impl/node"
)

const (
	tx   = 50 * time.Millisecond
	mult = 3
	hold = 500 * time.Millisecond

	// Beat is the short step of time: longer than a transmit interval, shorter than
	// a detection time (150 ms) less the lease of the beat before.
	Beat = 60 * time.Millisecond
	// longest is the maximum duration of a wait.
	longest = hold + Beat
	// bursts bounds the events within one choice. A node that exceeds it violates claim rest.
	bursts = 600
	// tracked is the host that both sides track; one unanswered probe loses it.
	tracked = "backend1"
	// buffered is how many inputs are queued for a daemon that does not read.
	buffered = 128
)

// world is one state: two nodes and everything between them.
type world struct {
	opts    *Options
	now     clock.Instant
	sides   [2]side
	streams uint64     // id of the newest stream
	sent    [2][]frame // frames in flight on the stream, by sender
	wire    []packet   // heartbeats sent at this instant
	cut     [2][2]bool // by sender and path
	faults  int        // chosen so far
	flows   int        // opened so far
	divided bool       // the pair was partitioned and has not settled since
	heard   [2]bool    // by sender: a heartbeat has arrived since the partition
	shared  uint8      // flows that have been in both tables at once, as bits
	found   *finding
	lenient bool // findings are ignored
	store   store
	watch   func(string) // called on role changes while a violation is described
}

// side is one node with its host.
type side struct {
	index   int
	core    *node.Node // nil while no daemon runs
	driver  *driver.Driver
	life    uint64
	born    clock.Instant
	frozen  bool
	blocked bool // its kernel refuses to send heartbeats
	carrier bool
	// unreached: the tracked host does not answer this side.
	unreached bool
	stream    uint64        // open on this side, 0 if none
	lease     clock.Instant // until when its dataplane forwards
	table     uint8         // flows in its dataplane, as bits
	knows     uint32        // the largest epoch of its own terms and of the tables that it has heard of
	fate      driver.Fate   // of the pending call
	inbox     []node.Input  // arrived while frozen or busy
	shown     shown
	// stopping: the daemon was asked to stop.
	stopping bool
	synced   bool // it has had a complete table since boot: its peer's, or as MASTER its own
	degraded bool // it claimed with a table reported as incomplete
}

// shown is a core's state as its trace reports it.
type shown struct {
	role  string // "" while no daemon runs
	gates ha.Gates
	up    [2]bool // the session of each path
}

// frame is a frame, the opening or the end of the stream, as sent by one side.
type frame struct {
	stream uint64
	kind   frameKind
	data   []byte
	knows  uint32 // epoch of the sender's table, 0 if the frame does not state it
}

type frameKind uint8

const (
	carriesData frameKind = iota
	opens                 // the stream was established
	closes                // the sender has closed the stream, or died
)

// packet is a heartbeat.
type packet struct {
	to, path int
	data     []byte
}

var ids = [2]string{"lb1", "lb2"}

func newWorld(opts *Options) *world {
	w := &world{opts: opts}
	for i := range w.sides {
		w.sides[i] = side{index: i, carrier: true}
	}
	return w
}

func (w *world) clone() *world {
	v := *w
	for i := range v.sides {
		s := &v.sides[i]
		if s.core != nil {
			s.core = s.core.Clone()
			s.driver = s.driver.Clone(s.core, v.ports(i))
		}
		s.inbox = append([]node.Input(nil), s.inbox...)
		v.sent[i] = append([]frame(nil), v.sent[i]...)
	}
	v.wire = nil
	v.store = w.store.clone()
	return &v
}

func (w *world) config(s *side) node.Config {
	discr := uint32(s.index + 1)
	session := func(path uint32) bfd.Config {
		return bfd.Config{LocalDiscr: discr<<8 | path, DesiredMinTxInterval: tx, RequiredMinRxInterval: tx,
			DetectMult: mult, Seed: uint64(discr)<<8 | uint64(path)}
	}
	return node.Config{
		ID: ids[s.index], Peer: ids[1-s.index], Priority: [2]uint8{150, 100}[s.index], Incarnation: s.life<<1 | uint64(s.index),
		Paths: []node.Path{{Name: "clients", BFD: session(1)}, {Name: "sync", BFD: session(2), CarriesSync: true}},
		Links: []string{"client0"}, Hold: hold, Preempt: w.opts.Preempt,
		Arbiter:  w.opts.arbiter(),
		Track:    w.opts.track(),
		Sync:     ctsync.Config{Buckets: 64, JournalLen: 64},
		GatesOff: w.opts.GatesOff, AnnounceEarly: w.opts.AnnounceEarly,
	}
}

// boot starts the daemon of a side.
func (w *world) boot(s *side) {
	*s = side{index: s.index, life: s.life + 1, carrier: s.carrier, blocked: s.blocked, unreached: s.unreached, born: w.now}
	core, err := node.New(w.config(s), w.now)
	if err != nil {
		w.report(checkInternal, "a node does not boot: %v", err)
		return
	}
	s.core = core
	s.driver = driver.New(core, w.ports(s.index))
	s.driver.KeepEffects() // they are copied with the world
	s.shown.role = ha.Init.String()
	w.input(s, node.Link{Name: "client0", Up: s.carrier})
	w.input(s, node.Dataplane{Ready: true})
	w.input(s, node.Probe{Target: tracked, Answered: !s.unreached})
}

// end ends a daemon: its host closes the stream, and its dataplane forwards until the lease ends.
func (w *world) end(s *side) {
	w.store.forget(s.index)
	peer := 1 - s.index
	w.sent[peer] = nil // frames that its host had received are lost
	if id := w.sides[peer].stream; id != 0 {
		w.sent[s.index] = append(w.sent[s.index], frame{stream: id, kind: closes})
	}
	*s = side{index: s.index, life: s.life, carrier: s.carrier, blocked: s.blocked, unreached: s.unreached, lease: s.lease}
}

// crash powers a host off: nothing is closed.
func (w *world) crash(s *side) {
	w.store.forget(s.index)
	w.sent[1-s.index] = nil
	*s = side{index: s.index, life: s.life, carrier: s.carrier, blocked: s.blocked, unreached: s.unreached}
}

func (w *world) closeStream(s *side) {
	if s.stream != 0 {
		w.sent[s.index] = append(w.sent[s.index], frame{stream: s.stream, kind: closes})
		s.stream = 0
	}
}

func (s *side) busy() bool  { return s.driver != nil && s.driver.Waits() }
func (s *side) reads() bool { return s.core != nil && !s.frozen && !s.busy() }

// input queues an input for a daemon.
func (w *world) input(s *side, in node.Input) {
	if s.core == nil {
		return
	}
	if len(s.inbox) < buffered {
		s.inbox = append(s.inbox, in)
	}
	w.work(s)
}

// work runs a daemon until it waits for an effect or has no input: results of effects come first,
// then queued inputs.
func (w *world) work(s *side) {
	for s.core != nil && !s.frozen && !s.busy() && w.found == nil {
		in, any := s.driver.Next()
		if !any {
			if len(s.inbox) == 0 {
				return
			}
			in = s.inbox[0]
			s.inbox = s.inbox[1:]
		}
		s.driver.Step(in)
	}
}

// complete ends the effect that a side waits for, with the given fate.
func (w *world) complete(s *side, fate driver.Fate) {
	s.fate = fate
	s.driver.Finish()
	s.fate = driver.Succeeds
	w.work(s)
}

// arrive delivers the oldest frame of a side to the other.
func (w *world) arrive(from int) {
	f := w.sent[from][0]
	w.sent[from] = w.sent[from][1:]
	to := &w.sides[1-from]
	switch {
	case to.core == nil:
	case f.kind == opens:
		to.stream = f.stream
		w.input(to, node.Stream{ID: f.stream, Up: true})
	case f.stream != to.stream:
		w.refuse(from, f)
	case f.kind == closes:
		to.stream = 0
		w.input(to, node.Stream{ID: f.stream, Why: "closed by peer"})
	default:
		to.knows = max(to.knows, f.knows)
		w.input(to, node.Message{Stream: f.stream, Data: f.data})
	}
}

// refuse answers a frame of a stream unknown to the receiving host by closing it, as TCP's RST does.
func (w *world) refuse(from int, f frame) {
	if f.kind == carriesData && w.sides[from].stream == f.stream {
		w.sent[1-from] = append(w.sent[1-from], frame{stream: f.stream, kind: closes})
	}
}

func (w *world) canArrive(from int) bool {
	to := &w.sides[1-from]
	return len(w.sent[from]) > 0 && !w.cut[from][1] && (to.core == nil || to.reads())
}

// canConnect reports whether lb1 can dial: it has no stream, lb2 has a daemon, and the sync path is
// not cut.
func (w *world) canConnect() bool {
	return w.sides[0].reads() && w.sides[0].stream == 0 && w.sides[1].core != nil && !w.cut[0][1] && !w.cut[1][1]
}

func (w *world) connect() {
	w.streams++
	w.sent = [2][]frame{{{stream: w.streams, kind: opens}}, nil}
	w.sides[0].stream = w.streams
	w.input(&w.sides[0], node.Stream{ID: w.streams, Up: true})
}

// entry is the i-th flow.
func entry(i int) flow.Entry {
	original := flow.Tuple{Src: flow.IPv4(198, 18, 0, 11), Dst: flow.IPv4(198, 18, 0, 100), SrcPort: uint16(i), DstPort: 80, Proto: flow.TCP}
	reply := flow.Tuple{Src: flow.IPv4(198, 18, 1, 11), Dst: flow.IPv4(198, 18, 1, 100), SrcPort: 80, DstPort: 20000 + uint16(i), Proto: flow.TCP}
	return flow.Entry{Original: original, Reply: reply, State: flow.Established, Origin: flow.Opened, Remaining: time.Hour}
}

// open makes a client open a flow through a node.
func (w *world) open(s *side) {
	s.table |= 1 << w.flows
	w.input(s, node.Flows{Events: []flow.Event{{Entry: entry(w.flows)}}})
	w.flows++
}
