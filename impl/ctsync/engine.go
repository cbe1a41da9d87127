// Package ctsync keeps the connection table of a BACKUP equal to that of the
// MASTER, and knows when it is. Each node runs one Engine. The MASTER's is the
// source: it gives every change of its table a sequence number, remembers the
// latest ones in a journal and streams them. The BACKUP's is the sink: it passes
// them to its dataplane in order, and acks those that the dataplane has applied.
//
// When a stream begins, the sink says what it has (hello). The source opens a
// round: a resumption from its journal if that suffices, otherwise a snapshot,
// whose rows are sent interleaved with live deltas. A mark with count and digest
// at a sequence number closes the round and is repeated periodically. If it does
// not match, the digests of all buckets are compared and the unequal buckets are
// sent again. Only a matching mark makes the sink in sync.
//
// Sequence numbers count within a term: one incarnation of a node and one epoch
// as MASTER. A new term names the state on which it is based, so that the former
// source, which has that state, need not fetch it.
//
// The engine mirrors the table in its own memory, so that it never has to ask
// the dataplane. It does no IO and reads no clock. impl/node calls it, from one
// goroutine: inputs enter by the methods that take an instant; after each of them
// the caller calls Ready, which returns the effects.
package ctsync

import (
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/flow"
)

// Engine is one node's part of the connection sync. The zero value is not usable.
type Engine struct {
	cfg   Config
	now   clock.Instant
	table table
	stats Stats

	// The position that the table equals, as far as is known. For a source, seq is
	// the last sequence number assigned.
	pos position

	source  bool
	base    position // the source's term began with this table
	journal journal
	rounds  uint32 // rounds opened so far
	feed    feed
	offers  []Offer // of the sink, not in the dataplane yet
	// apart means that this node has changed its table as source in an earlier term
	// and no peer in sync has acknowledged that. shared is the last change of this
	// term that one has acknowledged.
	apart  bool
	shared uint64

	intake   intake
	offering offering
	queue    queue

	stream  bool
	version byte // agreed on for it
	peer    peer
	upAt    clock.Instant
	lostAt  clock.Instant
	why     string // the stream was lost

	nonce    uint32 // of the last hello
	sessions uint32 // terms and snapshots taken in so far

	capacity capacities

	recon   reconciliation
	doubted []flow.Tuple // see Doubted
	scrub   scrubber
	meter   meter
	took    time.Duration // from the stream's beginning to the first InSync on it
	out     Ready
	busy    bool // Ready left work undone that needs no input

	scratch []change // of the current message
	slots   []uint32 // of the entries of the current step
}

// peer is what the other node last said about itself on the current stream.
type peer struct {
	term
	source bool
}

// checkVersion refuses a version of the protocol that this engine does not speak.
func checkVersion(version byte) error {
	if version < VersionMin || version > Version {
		return fmt.Errorf("ctsync: protocol version %d, this node speaks %d to %d", version, VersionMin, Version)
	}
	return nil
}

// Ready lists the effects of an engine, each list in order. Sends and batches are
// independent of each other.
type Ready struct {
	// Send holds frames for the sync stream.
	Send [][]byte
	// Apply holds batches for the dataplane, to be applied one after the other.
	Apply []Batch
}

// Batch is one step of the dataplane towards the source's table: either entries
// to apply or flows to delete, never both. An entry may use the reply tuple of a
// deleted flow, so the deletion must come first. The slices belong to the engine
// again once Applied was called.
type Batch struct {
	ID      uint64
	Entries []flow.Entry
	Deletes []flow.Tuple
}

// New returns the engine of a node that is not MASTER, with an empty table.
// Entries that the dataplane already holds enter by Reconcile.
func New(cfg Config) *Engine {
	cfg = cfg.withDefaults()
	return &Engine{
		cfg:     cfg,
		table:   newTable(cfg.Key, cfg.Buckets),
		journal: journal{limit: cfg.JournalLen},
		lostAt:  clock.Never,
		version: Version,
	}
}

// Clone returns a copy. It shares no data that either may change.
func (e *Engine) Clone() *Engine {
	c := *e
	c.table = e.table.clone()
	c.journal.ring = slices.Clone(e.journal.ring)
	c.feed = e.feed.clone()
	c.intake.compare.list = slices.Clone(e.intake.compare.list)
	c.queue = e.queue.clone()
	c.offers = slices.Clone(e.offers)
	for i := range c.offers {
		c.offers[i].Entries = slices.Clone(c.offers[i].Entries)
	}
	c.recon, c.doubted = e.recon.clone(), slices.Clone(e.doubted)
	c.out = Ready{Send: slices.Clone(e.out.Send), Apply: slices.Clone(e.out.Apply)}
	c.scratch, c.slots = nil, nil
	return &c
}

// Fingerprint adds the essential state of the engine: without statistics, and with position
// and digests in place of the contents of journal and table.
func (e *Engine) Fingerprint(h *fingerprint.Hash) {
	e.table.fingerprint(h)
	e.pos.fingerprint(h)
	h.Flag(e.source)
	e.base.fingerprint(h)
	h.Int(e.journal.limit)
	h.Number(e.journal.last)
	h.Counter(fingerprint.Nonce, uint64(e.rounds))
	e.feed.fingerprint(h)
	h.Int(len(e.offers))
	for i := range e.offers {
		e.offers[i].fingerprint(h)
	}
	h.Flag(e.apart)
	h.Counter(fingerprint.Seq, e.shared)
	e.intake.fingerprint(h)
	e.offering.fingerprint(h)
	h.Int(len(e.doubted))
	for _, t := range e.doubted {
		hashTuple(h, t)
	}
	e.queue.fingerprint(h)
	h.Flag(e.stream)
	h.Number(uint64(e.version))
	e.peer.term.fingerprint(h)
	h.Flag(e.peer.source)
	h.Remembered(e.lostAt, lostMemory)
	h.Counter(fingerprint.Nonce, uint64(e.nonce))
	h.Counter(fingerprint.Nonce, uint64(e.sessions))
	h.Number(uint64(e.capacity.peer))
	e.recon.fingerprint(h)
	h.Flag(e.busy)
}

// lostMemory is the granularity at which a fingerprint includes how long ago a stream was lost
// or a hello sent.
const lostMemory = 250 * time.Millisecond

// SetSource says that this node is MASTER with the epoch: its table is
// authoritative, and its changes count from 1. The caller has passed on the events
// pending in the dataplane and waited until Pending is 0, so that no batch
// overwrites later changes. The dataplane does not forward yet.
func (e *Engine) SetSource(now clock.Instant, epoch uint32) {
	e.now = now
	if e.source && e.pos.epoch == epoch {
		return
	}
	e.base = position{}
	if e.source || e.intake.settled {
		e.base = e.pos
	}
	e.source = true
	e.pos = position{term: term{e.cfg.Incarnation, epoch}}
	e.journal.reset()
	e.table.renew()
	e.feed = feed{}
	e.intake, e.offering = intake{}, offering{}
	e.shared = 0
}

// SetSink says that this node is not MASTER. If the peer is, the engine asks it
// for missing changes.
func (e *Engine) SetSink(now clock.Instant) {
	e.now = now
	if !e.source {
		return
	}
	e.apart, e.source = e.Apart(), false
	e.doubted = nil
	e.feed, e.offers = feed{}, nil
	e.intake = intake{settled: true}
	e.meter = meter{}
	if e.stream && e.peer.source {
		e.sayHello()
	}
}

// Connected says that a stream to the peer is up, with the agreed version of the
// protocol and what the peer said about itself: its incarnation, whether it is
// MASTER, and its epoch (the last one in which it was MASTER if it is not). It is
// called again when these change; the version never changes during a stream.
// InSync ends with another incarnation, or with an epoch other than the synced
// one. An error names an unsupported version; then nothing has changed.
func (e *Engine) Connected(now clock.Instant, version uint8, peerIncarnation uint64, peerIsSource bool, peerEpoch uint32) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	e.now = now
	said := peer{term: term{peerIncarnation, peerEpoch}, source: peerIsSource}
	fresh := !e.stream || said.incarnation != e.peer.incarnation
	if !fresh && said == e.peer {
		return nil
	}
	if fresh {
		e.upAt, e.lostAt, e.why, e.took = now, clock.Never, "", 0
		e.version, e.capacity = version, capacities{}
	}
	e.stream, e.peer = true, said
	if e.source {
		if fresh || said.source {
			e.feed = feed{}
		}
		return nil
	}
	if said.incarnation != e.pos.incarnation || said.epoch > e.pos.epoch || said.source && said.epoch != e.pos.epoch {
		e.intake.verified = false
	}
	e.intake.leave()
	if said.source {
		e.sayHello()
	}
	return nil
}

// Disconnected says that the stream is lost. The received table stays, and so
// does InSync; LostAt says how old that knowledge is.
func (e *Engine) Disconnected(now clock.Instant, why string) {
	e.now = now
	if !e.stream {
		return
	}
	e.stream, e.lostAt, e.why = false, now, why
	e.out.Send = e.out.Send[:0]
	e.feed = feed{}
	e.intake.leave()
}

// Receive takes one frame of the stream. An error means that the peer violated
// the protocol: nothing has changed, and the caller resets the stream. A message of
// an earlier term or role is dropped and counted.
func (e *Engine) Receive(now clock.Instant, msg []byte) error {
	e.now = now
	kind, r, err := open(msg, e.version)
	if err == nil {
		err = e.dispatch(kind, &r)
	}
	if err == nil {
		return nil
	}
	e.stats.Violations++
	name := typeNames[kind]
	if name == "" {
		name = "message"
	}
	return fmt.Errorf("ctsync: receive %s: %w", name, err)
}

func (e *Engine) dispatch(kind byte, r *reader) error {
	switch kind {
	case typeHello:
		return e.receiveHello(r)
	case typeAck:
		return e.receiveAck(r)
	case typeNeed:
		return e.receiveNeed(r)
	case typeRepair:
		return e.receiveRepair(r)
	case typeOffer:
		return e.receiveOffer(r)
	case typeWorked:
		return e.receiveWorked(r)
	case typeBegin:
		return e.receiveBegin(r)
	case typeDelta:
		return e.receiveDelta(r)
	case typeRows:
		return e.receiveRows(r)
	case typeMark:
		return e.receiveMark(r)
	}
	return e.receiveBuckets(r)
}

// outdated counts a message that is dropped because it belongs to an earlier role,
// term or round.
func (e *Engine) outdated() error {
	e.stats.Outdated++
	return nil
}

// Advance sets the time. It must be called at Deadline, and may be called at any time.
func (e *Engine) Advance(now clock.Instant) { e.now = now }

// Deadline returns the instant at which Advance and Ready must be called if there
// is no input before.
func (e *Engine) Deadline() clock.Instant {
	if e.busy {
		return e.now
	}
	due := e.queue.deadline()
	if e.source {
		return min(due, e.feed.deadline(e.journal.first()))
	}
	return min(due, e.intakeDeadline())
}

// Ready returns the effects that are due. One call does a bounded amount of work;
// Deadline tells whether there is more. The result belongs to the caller, except
// the slices in batches.
func (e *Engine) Ready() Ready {
	e.busy = false
	e.reconcile()
	if e.source {
		e.pump()
	} else {
		e.absorb()
	}
	e.retry()
	out := e.out
	e.out.Send, e.out.Apply = nil, nil
	return out
}

// send queues a frame.
func (e *Engine) send(msg []byte) { e.out.Send = append(e.out.Send, msg) }

// Sent returns the sequence number of the last change of this node's term as
// source; 0 on a sink.
func (e *Engine) Sent() uint64 {
	if e.source {
		return e.pos.seq
	}
	return 0
}

// Barrier returns the sequence number that a sink must have applied before a
// handover.
func (e *Engine) Barrier() uint64 { return e.Sent() }

// Acked returns the last change of this source's term that the peer has acked; 0
// without a round on the current stream.
func (e *Engine) Acked() uint64 { return e.feed.acked }

// Pending returns the number of batches that the dataplane has not applied yet.
func (e *Engine) Pending() int { return e.queue.len() }

// Queued returns the ordinal of the last batch that was queued for the dataplane, for Landed.
func (e *Engine) Queued() uint64 { return e.queue.ordinal }

// Landed reports whether the dataplane has applied all batches up to an ordinal.
func (e *Engine) Landed(ordinal uint64) bool { return e.queue.reached(ordinal) }

// Len returns the number of flows in the mirror.
func (e *Engine) Len() int { return e.table.len() }

// Digest returns the digest of the mirror: equal on two nodes with equal tables.
func (e *Engine) Digest() uint64 { return e.table.all.sum }

// Lookup returns the mirror's entry of an original tuple.
func (e *Engine) Lookup(original flow.Tuple) (flow.Entry, bool) {
	id := e.table.find(e.table.tuple(original), original)
	if id == 0 {
		return flow.Entry{}, false
	}
	s := e.table.at(id)
	c := s.change()
	return c.entry(s.origin), true
}
