package daemon

import (
	"log/slog"
	"sync/atomic"
	"time"

	"baton/impl/arbiter"
	"baton/impl/clock"
	"baton/impl/daemon/poller"
	"baton/impl/daemon/record"
	"baton/impl/dataplane"
	"baton/impl/driver"
	"baton/impl/flow"
	"baton/impl/ha"
	"baton/impl/node"
)

// loop owns the core and the dataplane. One goroutine on its own thread runs it; all others
// use the inbox.
//
// Between two inputs it checks the core's deadline and the BFD sockets, so that other work
// delays the heartbeat by one input at most.
type loop struct {
	now      func() clock.Instant // boottime.Now except in tests
	node     *node.Node
	driver   *driver.Driver
	dp       dataplane.Dataplane
	poller   *poller.Poller
	inbox    *inbox
	paths    []*bfdPath
	out      outlets
	recorder *record.Recorder
	log      *slog.Logger

	spare  []item // the slice that the inbox fills next
	stream uint64 // the core's sync stream, 0 for none
	scans  scans
	// unserved counts entries of services that this node does not have.
	unserved unserved
	refusals refusals

	refused  string // the reason of the last refused handover
	late     lateness
	looked   clock.Instant // when the BFD sockets were last read
	steps    uint64
	lost     uint64 // the dataplane's EventsLost when it was last read
	failures failures
	ended    bool
	failure  error // why the node ends, nil if it was asked to

	leadsSince atomic.Int64 // since when the dataplane may forward; 0 if it may not
}

// drive gives the loop its core.
func (l *loop) drive(core *node.Node) {
	l.node, l.driver = core, driver.New(core, (*ports)(l))
}

// fail counts and logs a failed call with its consequence. It is safe for concurrent use.
func (l *loop) fail(call, what string, err error) {
	l.failures.add(call)
	l.log.Error(what, "call", call, "error", err)
}

// outlets receive the effects that go neither to the dataplane nor to the BFD sockets.
type outlets struct {
	send     func(stream uint64, frame []byte)
	reset    func(stream uint64, why string)
	heard    func() // called when the peer's heartbeat begins on a path; may be nil
	announce func(first, vips int) error
	client   func(flow.Addr) // called with the source address of each flow seen
	leads    func()          // called when the node begins to forward; may be nil
	// arbitrate asks the arbiter. A core without an arbiter never calls it.
	arbitrate func(arbiter.Question)
	balancer  *balancer
	edits     *edits
}

// lookEvery bounds how long BFD packets stay unread during other work.
const lookEvery = clock.Instant(500 * time.Microsecond)

// run steps the core until it exits. At the end it reports the flows refused since the last tick, since
// no later process can.
func (l *loop) run() error {
	defer l.inbox.close()
	defer l.noteRefused()
	for !l.ended {
		if err := l.turn(); err != nil {
			return err
		}
	}
	return l.failure
}

// turn waits for work and does it.
func (l *loop) turn() error {
	if err := l.poller.Wait(l.node.Deadline()); err != nil {
		return err
	}
	l.receive()
	l.urgent()
	l.stepAnswers()
	if l.dp.Rung() {
		l.readAwaited()
		l.stepAnswers()
	}
	l.work()
	return nil
}

// work handles the inbox.
func (l *loop) work() {
	items := l.inbox.take(l.spare)
	for i := range items {
		l.handle(items[i])
		items[i] = item{} // its memory may be large
		l.stepAnswers()
		l.urgent()
		if l.ended {
			return
		}
	}
	l.spare = items
}

func (l *loop) handle(i item) {
	if i.run != nil {
		i.run()
		return
	}
	if stream, ok := i.input.(node.Stream); ok {
		l.follow(stream)
	}
	l.step(i.input)
	if i.token {
		l.inbox.release()
	}
}

// follow notes the core's next stream.
func (l *loop) follow(s node.Stream) {
	switch {
	case s.Up:
		l.stream = s.ID
	case s.ID == l.stream:
		l.stream = 0
	}
}

// urgent serves the heartbeat.
func (l *loop) urgent() {
	if l.now() >= l.node.Deadline() {
		l.step(node.Timer{})
	}
}

// receive steps the waiting BFD packets, at most one batch per path.
func (l *loop) receive() {
	l.looked = l.now()
	for i, path := range l.paths {
		datagrams := path.receive(l.log)
		for j := range datagrams {
			if d := &datagrams[j]; path.fromPeer(d) {
				l.stepNow(node.Packet{Path: i, Data: d.Data, TTL: d.TTL, At: d.At})
			}
		}
	}
}

// stepAnswers steps the results of effects until there are no more.
func (l *loop) stepAnswers() {
	for in, ok := l.driver.Next(); ok; in, ok = l.driver.Next() {
		l.step(in)
		l.urgent()
	}
}

// tick does the periodic work, about once a second.
func (l *loop) tick() {
	l.scans.sweep(l, l.now())
	counters, err := l.dp.Counters()
	if err != nil {
		l.fail("counters", "dataplane counters not read", err)
		return
	}
	if l.lostEvents(counters) {
		l.step(node.Lost{})
	}
	if exhausted := l.noteRefused(); len(exhausted) > 0 {
		l.scans.name(l, exhausted)
	}
}

// noteRefused reads how many new flows the dataplane has refused, and returns the services whose
// flows should be counted by source.
func (l *loop) noteRefused() (exhausted []flow.Service) {
	refused, err := l.dp.Refused()
	if err != nil {
		l.fail("counters", "refused flows not read", err)
		return nil
	}
	return l.refusals.note(refused, l.dp.PortsUsed(), time.Now())
}

// step gives one input to the core, after the waiting BFD packets: a late loop must not
// take packets that arrived in time for silence. If a deadline has come, it reads the
// sockets even if it has just done so.
func (l *loop) step(in node.Input) {
	if now := l.now(); now-l.looked >= lookEvery || now >= l.node.Deadline() {
		l.receive()
	}
	l.stepNow(in)
}

// stepNow gives one input to the core and executes the effects.
func (l *loop) stepNow(in node.Input) {
	now := l.now()
	l.late.note(now.Sub(l.node.Deadline()))
	l.steps++
	l.driver.Step(in)
	l.noteLead(now)
	if l.node.Role() == ha.Claiming {
		l.scans.interrupt()
	}
}
