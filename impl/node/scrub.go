package node

import (
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/flow"
	"baton/impl/ha"
)

// A scrub looks for damage in the dataplane's table and in the mirrored table, as memory
// scrubbing does. It reads all entries, a part at a time, compares them with the mirror, and
// heals damaged ones. docs/sync.md says which side is right.
//
// An entry that differs is a suspect. It may only be late: its event is still pending, or its
// change was written after it was read. The node steps every pending event and reads the
// suspects again. A suspect is damaged if neither the dataplane nor the mirror has changed it
// meanwhile.

const (
	// scrubEvery is the pause between two parts of about 2000 entries.
	scrubEvery = 400 * time.Millisecond
	// scrubPause is the pause between two scrubs.
	scrubPause = 5 * time.Second
	// suspectsMax is how many suspects of one part are examined. The next scrub finds the
	// others.
	suspectsMax = 512
)

// Damage is a kind of damage.
type Damage uint8

// The kinds of damage.
const (
	Missing     Damage = iota // the dataplane lacks an entry
	Extra                     // it has an entry that the mirrored table lacks
	Altered                   // both have the entry, with different content
	Mirror                    // a part of the mirrored table does not match its digest
	DamageKinds               // how many there are
)

var damageNames = [DamageKinds]string{"missing", "extra", "altered", "mirror"}

func (d Damage) String() string { return damageNames[d] }

// suspect is an entry that differs between dataplane and mirror.
type suspect struct {
	held  flow.Held  // what the dataplane held
	entry flow.Entry // the mirror's entry when the suspect was found, if known
	known bool
}

type scrubStage uint8

const (
	scrubResting   scrubStage = iota
	scrubWalking              // a part is being read
	scrubWaiting              // there are suspects, and writes queued before them are not applied
	scrubDraining             // pending events are being stepped
	scrubExamining            // the suspects are being read again
	scrubHealing              // entries are being written back
	scrubProving              // healed entries are being read back
)

// scrub is the state of scrubbing.
type scrub struct {
	stage    scrubStage
	role     ha.Role // the role in which it began
	awaited  uint64  // the effect whose Done is expected
	at       clock.Instant
	fresh    bool // the walk of the dataplane is at its start
	whole    bool // the walk has not been interrupted since its start
	search   bool // the walk has ended: entries that it has not passed are missing
	suspects []suspect
	queued   uint64        // the last batch queued when they were found
	retry    clock.Instant // when they are examined again, after a failed call
	healing  []flow.Tuple  // the entries that are being written back
	stats    ScrubStats
}

// ScrubStats counts since boot.
type ScrubStats struct {
	Scrubs   uint64 // complete scrubs
	Found    [DamageKinds]uint64
	Unhealed uint64 // entries that a MASTER could not write back: the flow is lost
	Streak   int    // failed calls of the dataplane since the last complete scrub
	Why      string // the last error
}

func (s *scrub) clone() scrub {
	c := *s
	c.suspects, c.healing = slices.Clone(s.suspects), slices.Clone(s.healing)
	return c
}

func (s *scrub) fingerprint(h *fingerprint.Hash) {
	h.Number(uint64(s.stage))
	h.Number(uint64(s.role))
	h.Instant(s.at)
	h.Instant(s.retry)
	h.Flag(s.fresh)
	h.Flag(s.whole)
	h.Flag(s.search)
	h.Int(len(s.suspects))
	for i := range s.suspects {
		h.Text(string(flow.AppendTuple(nil, s.suspects[i].held.Original)))
	}
}

// interrupt drops what was read: it is of another role, or will be read again.
func (s *scrub) interrupt() {
	s.stage, s.suspects, s.whole, s.search = scrubResting, nil, false, false
}

// scrubs reports whether the node knows what its dataplane must hold.
func (n *Node) scrubs() bool {
	return n.cfg.Scrub && (n.role == ha.Master || n.follows()) && !n.adoption.unread && n.reading.done() && n.merging.idle()
}

// scrubWait returns when a scrub needs a Timer.
func (n *Node) scrubWait() clock.Instant {
	switch {
	case !n.scrubs():
		return clock.Never
	case n.scrub.stage == scrubResting:
		return n.future(n.scrub.at)
	case n.scrub.stage == scrubWaiting:
		return n.future(n.scrub.retry)
	}
	return clock.Never
}

// advanceScrub does the next step of a scrub.
func (n *Node) advanceScrub() {
	s := &n.scrub
	switch {
	case s.role != n.role:
		s.interrupt()
		s.role, s.at = n.role, n.now.Add(scrubPause)
	case !n.scrubs():
		// It continues soon: each failed write of a BACKUP puts it out of sync for a moment.
		if s.stage != scrubResting {
			s.at = n.now.Add(scrubEvery)
		}
		s.interrupt()
	case s.stage == scrubResting && n.now >= s.at && s.search:
		n.searchMissing()
	case s.stage == scrubResting && n.now >= s.at:
		if s.fresh {
			s.fresh, s.whole = false, true
			n.sync.ScrubBegin()
		}
		s.stage, s.awaited = scrubWalking, n.nextID(pending{kind: pendingScrub})
		n.emit(Walk{ID: s.awaited})
	}
	if s.stage == scrubWaiting && n.now >= s.retry && n.sync.Landed(s.queued) {
		s.stage, s.awaited = scrubDraining, n.nextID(pending{kind: pendingScrub})
		n.emit(Drain{ID: s.awaited})
	}
}

// scrubbed takes the Done that a scrub waits for.
func (n *Node) scrubbed(d Done) {
	s := &n.scrub
	if d.ID != s.awaited || s.stage == scrubResting {
		return
	}
	stage := s.stage
	s.stage = scrubResting
	switch {
	case d.Err != "":
		n.scrubFailed(stage, d.Err)
	case stage == scrubWalking:
		n.walked(d)
	case stage == scrubDraining:
		n.examineSuspects()
	case stage == scrubExamining:
		n.judgeSuspects(d.Held)
	case stage == scrubHealing:
		s.stage, s.awaited = scrubProving, n.nextID(pending{kind: pendingScrub})
		n.emit(Examine{ID: s.awaited, Tuples: s.healing})
	case stage == scrubProving:
		n.proveHealed(d.Held)
	}
}

// scrubFailed takes the failure of a call. A failed walk starts over. The suspects are kept until they are
// examined. Damage that could not be healed is found again.
func (n *Node) scrubFailed(stage scrubStage, why string) {
	s := &n.scrub
	s.stats.Streak, s.stats.Why = s.stats.Streak+1, why
	if stage == scrubDraining || stage == scrubExamining {
		s.stage, s.retry = scrubWaiting, n.now.Add(scrubEvery)
		return
	}
	s.fresh = s.fresh || stage == scrubWalking
	s.at = n.now.Add(scrubPause)
}

// walked compares a part of the dataplane with the mirror, and a part of the mirror with its
// digests.
func (n *Node) walked(d Done) {
	s := &n.scrub
	for i := range d.Held {
		if !n.sync.Agrees(&d.Held[i]) && len(s.suspects) < suspectsMax {
			s.suspects = append(s.suspects, suspect{held: d.Held[i]})
		}
	}
	for range n.sync.ScrubMirror(n.now) {
		n.mirrorDamaged()
	}
	s.at = n.now.Add(scrubEvery)
	if d.End {
		s.fresh = true
		if s.search = s.whole; !s.search {
			s.at = n.now.Add(scrubPause)
		}
	}
	n.suspectAll()
}

// searchMissing makes suspects of entries that the walk has not passed.
func (n *Node) searchMissing() {
	s := &n.scrub
	tuples, last := n.sync.Unpassed(suspectsMax)
	for _, t := range tuples {
		s.suspects = append(s.suspects, suspect{held: flow.Held{Entry: flow.Entry{Original: t}}})
	}
	s.at = n.now.Add(scrubEvery)
	if last {
		s.search = false
		s.stats.Scrubs, s.stats.Streak = s.stats.Scrubs+1, 0
		s.at = n.now.Add(scrubPause)
	}
	n.suspectAll()
}

// suspectAll notes the mirror's entries of the suspects. The dataplane has them once the batches that are
// queued now are applied. A batch that is queued later concerns flows that the mirror changes later, and
// such a change excuses a suspect. So a scrub does not wait for an empty queue, which a busy BACKUP never
// has.
func (n *Node) suspectAll() {
	s := &n.scrub
	if len(s.suspects) == 0 {
		return
	}
	for i := range s.suspects {
		s.suspects[i].entry, s.suspects[i].known = n.sync.Lookup(s.suspects[i].held.Original)
	}
	s.stage, s.queued = scrubWaiting, n.sync.Queued()
}

// examineSuspects reads the suspects again once every earlier event has been stepped.
func (n *Node) examineSuspects() {
	s := &n.scrub
	tuples := make([]flow.Tuple, len(s.suspects))
	for i := range s.suspects {
		tuples[i] = s.suspects[i].held.Original
	}
	s.stage, s.awaited = scrubExamining, n.nextID(pending{kind: pendingScrub})
	n.emit(Examine{ID: s.awaited, Tuples: tuples})
}

// damaged reports whether a suspect is damaged, that is, unchanged since it was found.
func (n *Node) damaged(s *suspect, held *flow.Held) bool {
	entry, known := n.sync.Lookup(held.Original)
	return sameHeld(&s.held, held) && known == s.known && sameContent(&entry, &s.entry) && !n.sync.Agrees(held)
}

func sameHeld(a, b *flow.Held) bool {
	return a.Found == b.Found && a.Sound == b.Sound && sameContent(&a.Entry, &b.Entry)
}

// sameContent compares the replicated content. Lifetime and origin differ between nodes.
func sameContent(a, b *flow.Entry) bool { return a.Reply == b.Reply && a.State == b.State }

// judgeSuspects heals the damaged ones among the suspects.
func (n *Node) judgeSuspects(held []flow.Held) {
	s := &n.scrub
	byTuple := make(map[flow.Tuple]*suspect, len(s.suspects))
	for i := range s.suspects {
		byTuple[s.suspects[i].held.Original] = &s.suspects[i]
	}
	var h healing
	for i := range held {
		of := byTuple[held[i].Original]
		switch {
		case of == nil || !n.damaged(of, &held[i]):
		case !n.sync.MirrorSound(n.now, held[i].Original):
			n.mirrorDamaged()
		default:
			n.scrub.stats.Found[kindOf(of)]++
			h.add(of)
		}
	}
	s.suspects = nil
	n.heal(&h)
}

func kindOf(s *suspect) Damage {
	switch {
	case !s.held.Found:
		return Missing
	case !s.known:
		return Extra
	}
	return Altered
}

// mirrorDamaged starts the replacement of a damaged part of the mirror: a sink has it sent
// again, a source reads its dataplane.
func (n *Node) mirrorDamaged() {
	n.scrub.stats.Found[Mirror]++
	n.traceNote("scrub: a part of the mirrored table does not match its digest")
	if n.leads() {
		n.lost()
	}
}

// healing is the damage that a scrub has found in the dataplane.
type healing struct {
	entries []flow.Entry // to write: the mirror has them
	deletes []flow.Tuple // to delete: the mirror lacks them
	sound   []flow.Event // of both: the dataplane's entries that packets can use
}

func (h *healing) add(s *suspect) {
	if s.known {
		h.entries = append(h.entries, s.entry)
	} else {
		h.deletes = append(h.deletes, s.held.Original)
	}
	if s.held.Sound {
		h.sound = append(h.sound, flow.Event{Entry: s.held.Entry})
	}
}

// heal heals the dataplane. On a MASTER, a sound entry forwards packets, so it is right and the
// mirror takes it over. On a follower the mirror is right.
func (n *Node) heal(h *healing) {
	if len(h.entries)+len(h.deletes) == 0 {
		return
	}
	n.traceNote(fmt.Sprintf("scrub: %d entries of the dataplane are damaged", len(h.entries)+len(h.deletes)))
	s := &n.scrub
	if n.role != ha.Master {
		n.emit(Heal{ID: n.nextID(pending{kind: pendingRestore}), Entries: h.entries, Deletes: h.deletes})
		n.emit(Apply{ID: n.nextID(pending{kind: pendingRestore}), Entries: h.entries, Deletes: h.deletes})
		return
	}
	n.sync.Local(n.now, h.sound)
	s.healing = nil
	for i := range h.entries {
		s.healing = append(s.healing, h.entries[i].Original)
	}
	s.stage, s.awaited = scrubHealing, n.nextID(pending{kind: pendingScrub})
	n.emit(Heal{ID: s.awaited, Entries: h.entries, Deletes: h.deletes}) // Heal leaves sound entries unchanged
}

// proveHealed checks a MASTER's healed entries. If another flow has the reply tuple of an
// entry, the entry could not be written back and is lost.
func (n *Node) proveHealed(held []flow.Held) {
	var gone []flow.Event
	var deletes []flow.Tuple
	for i := range held {
		if !held[i].Sound {
			gone = append(gone, flow.Event{Entry: flow.Entry{Original: held[i].Original}, Deleted: true})
			deletes = append(deletes, held[i].Original)
		}
	}
	if len(gone) == 0 {
		return
	}
	n.scrub.stats.Unhealed += uint64(len(gone))
	n.traceNote(fmt.Sprintf("scrub: %d entries could not be written back", len(gone)))
	n.sync.Local(n.now, gone)
	n.emit(Heal{ID: n.nextID(pending{kind: pendingRestore}), Deletes: deletes})
}
