// Package node is the sans-IO core of a load balancer node. It composes BFD (impl/bfd), the
// gated state machine (impl/ha) and connection sync (impl/ctsync) into one value. Step
// takes inputs, Deadline returns when the node next needs a Timer, and Ready returns
// effects in the order in which they must be carried out. The package reads no clock, starts no
// goroutine and opens no socket. The daemon drives it in real time and the simulator in
// virtual time. Both run this code.
package node

import (
	"baton/impl/arbiter"
	"fmt"
	"maps"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/ctsync"
	"baton/impl/fingerprint"
	"baton/impl/flow"
	"baton/impl/ha"
)

// Node is one node of a pair. It is not safe for concurrent use.
type Node struct {
	cfg Config
	now clock.Instant // the latest instant stepped to; never decreases
	// deadline is what Deadline returns. Only boot and Step change a node, and both compute
	// it at their end.
	deadline clock.Instant

	role  ha.Role
	epoch uint32 // of the table: the epoch of this node's claim, or of the MASTER whose table was synced
	seen  uint32 // the largest epoch ever claimed or heard

	// The worth of the table, see ha.Rank.
	witnessed uint32
	complete  bool
	flows     uint32
	led       bool          // this node led with the table; the table is not a copy of a MASTER's
	kept      flow.Pedigree // the pedigree that the dataplane stores beside the table
	adoption  adoption
	// Without news from the serving MASTER, the table is not in sync from syncedUntil on,
	// and worth nothing from freshUntil on.
	syncedUntil, freshUntil clock.Instant
	following               bool // this node follows the peer's table, in the term followed
	followed                followedTerm
	standing                standing // before the claim that is under way

	view  view
	gates gateSet
	hold  ha.Hold

	paths     paths
	awake     clock.Instant // from here on, silence means that the peer does not send
	booted    clock.Instant
	paused    clock.Instant // the end of this node's last pause
	listening listening
	silence   clock.Instant // since when nothing is heard of the peer; Never while something is
	doubting  bool          // this node's Polls tell the peer that it is overdue
	// saidUnable is until when the peer may take from BFD that this node cannot serve.
	saidUnable clock.Instant
	links      links
	targets    tracker
	gateway    tracker // the one target of an arbiter that is a gateway
	dataplane  Dataplane

	peer     peer
	rival    rival
	standoff standoff
	giving   giving
	stream   stream
	grant    grantee

	comparison comparison // of the services
	decisions  decisions

	sync     *ctsync.Engine
	told     progressTold
	yield    yielding
	lease    lease
	deferral deferral
	announce announcement
	leaving  leaving
	relaying relaying
	install  installation

	arbitration arbitration

	reading   reading
	strays    strays
	scrub     scrub
	merging   merging
	requestAt clock.Instant

	lastID  uint64
	pending map[uint64]pending

	events  []ha.Event
	effects []Effect
	spare   []Effect // the slice that Ready returned last, for reuse
	spares  spares
}

// Clone returns a copy. It shares only what neither node changes: an effect never changes
// after its creation.
func (n *Node) Clone() *Node {
	c := *n
	c.paths = n.paths.clone()
	c.links, c.pending = slices.Clone(n.links), maps.Clone(n.pending)
	c.targets.targets = slices.Clone(n.targets.targets)
	c.gateway.targets = slices.Clone(n.gateway.targets)
	c.sync = n.sync.Clone()
	c.arbitration = n.arbitration.clone()
	c.decisions = n.decisions.clone()
	c.scrub, c.strays = n.scrub.clone(), n.strays.clone()
	c.deferral = n.deferral.clone()
	c.events, c.effects = slices.Clone(n.events), slices.Clone(n.effects)
	c.spare, c.spares = nil, spares{}
	return &c
}

// Fingerprint adds the node's essential state. It leaves out what was only reported and
// what each step gathers again.
func (n *Node) Fingerprint(h *fingerprint.Hash) {
	h.Number(uint64(n.role))
	h.Counter(fingerprint.Epoch, uint64(n.epoch))
	h.Counter(fingerprint.Epoch, uint64(n.seen))
	h.Number(uint64(n.witnessed))
	h.Flag(n.complete)
	h.Number(uint64(n.flows))
	h.Flag(n.led)
	n.adoption.fingerprint(h)
	h.Instant(n.freshUntil)
	h.Instant(n.syncedUntil)
	h.Flag(n.following)
	n.followed.fingerprint(h)
	n.standing.fingerprint(h)
	n.gates.fingerprint(h)
	n.hold.Fingerprint(h)
	h.Int(len(n.paths))
	for i := range n.paths {
		n.paths[i].fingerprint(h)
	}
	n.listening.fingerprint(h)
	h.Flag(n.doubting)
	for _, at := range []clock.Instant{n.awake, n.booted, n.paused, n.silence, n.requestAt, n.saidUnable} {
		h.Instant(at)
	}
	n.links.fingerprint(h)
	n.targets.fingerprint(h)
	n.gateway.fingerprint(h)
	h.Flag(n.dataplane.Ready)
	n.peer.fingerprint(h)
	n.rival.fingerprint(h)
	n.standoff.fingerprint(h)
	n.giving.fingerprint(h)
	n.stream.fingerprint(h)
	n.grant.fingerprint(h)
	n.sync.Fingerprint(h)
	n.yield.fingerprint(h)
	n.lease.fingerprint(h)
	n.deferral.fingerprint(h)
	n.announce.fingerprint(h)
	n.leaving.fingerprint(h)
	n.relaying.fingerprint(h)
	n.install.fingerprint(h)
	n.reading.fingerprint(h)
	n.strays.fingerprint(h)
	n.scrub.fingerprint(h)
	n.merging.fingerprint(h)
	n.arbitration.fingerprint(h)
}

// longMemory is the resolution of the ages in a fingerprint.
const longMemory = 500 * time.Millisecond

// pending is the effect that a Done answers.
type pending struct {
	kind  pendingKind
	batch uint64 // ctsync's id of an Apply
}

type pendingKind uint8

const (
	pendingApply pendingKind = iota
	pendingLease
	pendingDrain     // of a handover
	pendingDumpDrain // before a Dump
	pendingInstall   // the Drain of a claim
	pendingDump
	pendingAdopted // the Dump of a node that has adopted a table
	pendingHeld    // the Dump of a follower
	pendingRestore // of the differences that it found
	pendingScrub
	pendingMerge   // of the peer's offer
	pendingDoubted // the Examine of the differences that a reading has found
	pendingStrays  // the Examine of the flows that a follower's table lacks
)

// boot sets the node's first state.
func (n *Node) boot(now clock.Instant) {
	n.now = now
	n.role = ha.Init
	n.hold = ha.NewHold(now, n.cfg.Hold)
	n.pending = map[uint64]pending{}
	n.announce.stop()
	n.lease.drop()
	n.silence, n.rival.since, n.rival.both, n.standoff.since = clock.Never, clock.Never, clock.Never, clock.Never
	n.giving.since, n.giving.awaited = clock.Never, clock.Never
	n.dataplane.Why = "not attached yet"
	n.scrub.fresh = true
	n.arbitration = arbitration{
		on:      n.cfg.Arbiter.Validity > 0,
		policy:  n.cfg.Arbiter.Policy,
		machine: arbiter.New(n.cfg.ID, n.cfg.Arbiter.Validity),
		fresh:   clock.Never,
		keeping: keeping{since: clock.Never, alone: clock.Never},
	}
	// A peer that froze before this node booted may still hold its lease.
	n.awake, n.booted = now.Add(n.paths.longestDetection()), now
	if p := n.cfg.Adopted; p != nil {
		n.adopt(*p)
	}
	n.settle()
	n.deadline = n.nextDeadline()
}

// Step takes one input. Ready returns the effects.
func (n *Node) Step(now clock.Instant, in Input) {
	late := now.Sub(n.deadline)
	n.now = max(n.now, now)
	n.noteLateness(late)
	// Time comes before the input: a node that was paused must first notice that its lease
	// and its sessions have expired. Only then may it use inputs that waited.
	n.checkLease()
	if !corrects(in) {
		n.paths.confirm()
		if !waited(in) {
			n.advance()
		}
	}
	n.take(in)
	n.settle()
	n.deadline = n.nextDeadline()
}

// waited reports whether an input is a packet with a receive time. Its session judges it by
// that time. No session may learn the current time before it has taken all packets that
// came earlier, on any path, so the Timer that is due follows the packets.
func waited(in Input) bool {
	p, ok := in.(Packet)
	return ok && p.At != 0
}

// corrects reports whether an input takes back an assumption of an earlier Step. The input
// must be taken before the elapsed time has any effect.
func corrects(in Input) bool {
	switch in.(type) {
	case SendFailed, RenewalFailed:
		return true
	}
	return false
}

func (n *Node) take(in Input) {
	switch in := in.(type) {
	case Timer:
	case Packet:
		n.receivePacket(in)
	case Link:
		if n.links.receive(in) {
			n.tell(false)
		}
	case Dataplane:
		n.dataplane = in
	case Flows:
		n.receiveFlows(in.Events)
	case Stream:
		n.receiveStream(in)
	case Message:
		n.receiveMessage(in)
	case Probe:
		n.targets.receive(n.now, in)
		n.gateway.receive(n.now, in)
	case Handover:
		n.raise(ha.HandoverAsked)
	case Stop:
		n.stop()
	case Lost:
		n.lost()
	case SendFailed:
		n.sendFailed(in)
	case RenewalFailed:
		n.renewalFailed(in.Until)
	case Done:
		n.done(in)
	case Services:
		n.receiveServices(in)
	case VIPs:
		n.setVIPs(in)
	case Decided:
		n.decide(in)
	case Arbitration:
		if n.arbitration.machine.Answered(n.now, in.Answer) {
			n.arbiterAnswered()
		}
		n.renewLease()
	}
}

// Deadline returns the instant at which the node wants a Timer; Never if it waits only for
// other inputs.
func (n *Node) Deadline() clock.Instant { return n.deadline }

func (n *Node) nextDeadline() clock.Instant {
	given, awaited := n.giving.deadlines()
	return min(
		// Work that is due, even if its time has passed.
		n.paths.deadline(),
		n.sync.Deadline(),
		n.announce.next,
		n.leaseWait(),
		n.stream.keepaliveDue(),
		n.grant.wait(),
		n.yieldWait(),
		n.requestWait(),
		n.adoption.deadline(),
		n.leaving.deadline(n.role.Holds()),
		n.install.deadline(n.now),
		n.reading.wait(n.now),
		n.scrubWait(),
		n.mergeWait(),
		n.told.wait(n),
		n.arbiterWait(),
		n.deferral.deadline(n.cfg.Defer),
		n.listenWait(),
		n.doubtWait(),

		// Times at which a gate may open or close by itself.
		n.future(n.stream.muteAt()),
		n.future(n.stream.lingers),
		n.future(n.stream.readBy),
		n.future(n.stream.gone),
		n.future(n.liveUntil()),
		n.future(n.hold.Ends()),
		n.future(n.hold.EndsUndamped()),
		n.future(n.freshUntil),
		n.future(n.syncedUntil),
		n.future(n.rival.deadline()),
		n.future(n.standoffTurn()),
		n.future(given),
		n.future(awaited),
		n.future(n.unreachableAt()),
		n.future(n.reading.overdueAt()),
		n.future(n.awake),
		n.future(n.booted.Add(bootListen)),
		n.future(n.paths.overdueAt()),
	)
}

// future returns an instant at which a gate may open or close by itself; Never once it has
// passed.
func (n *Node) future(at clock.Instant) clock.Instant {
	if n.now < at {
		return at
	}
	return clock.Never
}

// Ready returns the effects since the last call, in the order in which they must be carried
// out. The slice is valid until the Ready after the next.
func (n *Node) Ready() []Effect {
	ready := n.effects
	n.effects, n.spare = n.spare[:0], ready
	return ready
}

// advance lets time pass in the node's parts.
func (n *Node) advance() {
	n.ask()
	for i := range n.paths {
		n.paths[i].advance(n.now)
		n.pumpPath(i)
	}
	n.sync.Advance(n.now)
	n.checkStream()
	n.sendKeepalive()
	footing := n.footing()
	if n.lease.decide(n.now, footing) {
		n.emitLease(0, n.lease.until)
		n.traceLease()
		n.checkLease()
	}
	n.renewLeaseOn(footing)
	n.advanceAnnouncement()
	n.expireGrant()
}

// settleMax is more role events than one input can cause. A node that would loop forever is
// better dead: its lease ends and its peer takes over.
const settleMax = 100

// settle handles the consequences of a change until there are no more.
func (n *Node) settle() {
	for round := 0; ; round++ {
		if round > settleMax {
			panic(fmt.Sprintf("node: %s does not settle: %v at %v, open gates %v", n.cfg.ID, n.role, n.now, n.gates.open))
		}
		n.pumpSync()
		n.noteSync()
		n.checkAdopted()
		heard := n.hear()
		n.silence = since(n.silence, n.now, n.nothingHeard())
		n.checkRival(&heard)
		n.checkStandoff(&heard)
		if !n.able() {
			n.saidUnable = n.now.Add(bootListen)
		}
		n.updateGates(&heard)
		n.checkGiving()
		n.arbitrate()
		n.checkInstalled()
		n.checkYielded()
		if len(n.events) == 0 {
			break
		}
		event := n.events[0]
		n.events = n.events[1:]
		n.fire(event)
	}
	n.askForRole()
	n.reread()
	n.examineDoubted()
	n.examineStrays()
	n.advanceMerging()
	n.advanceScrub()
	n.tellRank()
	n.tellServices()
	n.tellDecisions()
	n.followDecisions()
	n.reassure()
	n.sayCondition()
	n.relayToMaster()
	n.checkLeaving()
	n.sendDeferred()
	n.keep()
	n.traceProgress()
}

// raise queues an event for the state machine.
func (n *Node) raise(event ha.Event) { n.events = append(n.events, event) }

// fire hands one event to the state machine and carries out its actions.
func (n *Node) fire(event ha.Event) {
	from := n.role
	to, actions, reason := ha.Next(from, event, n.gates.open)
	if reason.Refused != 0 {
		n.traceRefusal(event, reason)
	}
	n.role = to
	if to != from {
		n.arbitration.keeping.left(from, to, event)
		n.gates.refused = 0
		n.standClaim(from, reason.Degraded)
		if from == ha.Claiming && to == ha.Backup {
			n.grant.drop() // a grant is for one claim
		}
		if event == ha.LeaseExpired {
			n.peer.confirm = n.stream.seq + 1 // the state that reports this role
		}
		n.traceRole(from, reason)
		// A role may be left as soon as it is entered.
		n.raise(ha.GatesChanged)
	}
	for _, action := range actions {
		n.act(action)
	}
}

// emit appends an effect.
func (n *Node) emit(e Effect) { n.effects = append(n.effects, e) }

// nextID returns an id for an effect that Done will answer.
func (n *Node) nextID(p pending) uint64 {
	n.lastID++
	n.pending[n.lastID] = p
	return n.lastID
}

// done takes the answer to an effect.
func (n *Node) done(d Done) {
	p, ok := n.pending[d.ID]
	if !ok {
		return
	}
	delete(n.pending, d.ID)
	switch p.kind {
	case pendingApply:
		n.sync.Applied(n.now, p.batch, d.failure())
	case pendingLease:
		n.leaseAnswered(d.Err)
	case pendingDrain:
		n.drained(d.Err)
	case pendingDumpDrain:
		n.dumpDrained(d.Err)
	case pendingInstall:
		n.straysDrained(d.Err)
	case pendingDump:
		n.reconcile(d)
	case pendingAdopted:
		n.takeAdopted(d)
	case pendingHeld:
		n.restore(d)
	case pendingRestore:
		n.restored(d.Err)
	case pendingScrub:
		n.scrubbed(d)
	case pendingMerge:
		n.mergeAnswered(d)
	case pendingDoubted:
		n.believe(d)
	case pendingStrays:
		n.judgeStrays(d)
	}
}
