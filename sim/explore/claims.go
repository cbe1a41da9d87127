package explore

import (
	"fmt"
	"time"

	"baton/impl/bfd"
	"baton/impl/ha"
	"baton/impl/node"
	"baton/impl/trace"
)

// Names of the claims.
const (
	CheckForwarders = "forwarders"
	CheckGates      = "gates"
	CheckAnnounce   = "announce"
	CheckEpoch      = "epoch"
	CheckStranded   = "stranded"
	CheckRest       = "rest"

	checkInternal = "internal" // a bug of the model itself
)

// finding is a claim that does not hold in a state.
type finding struct {
	check, reason string
	healing       bool   // found in the liveness phase
	left          left   // the faults not healed in that phase
	like          string // the roles in the state, to recognise similar findings
}

// report notes a violated claim; only the first one counts.
func (w *world) report(check, format string, args ...any) {
	if w.found == nil && !w.lenient {
		w.found = &finding{check: check, reason: fmt.Sprintf(format, args...)}
	}
}

// observe tracks a core's state from its trace events.
func (w *world) observe(s *side, e trace.Event) {
	switch {
	case e.Gate != nil:
		s.shown.gates = s.shown.gates.With(gateNamed(e.Gate.Name), e.Gate.Open)
		s.synced = s.synced || s.shown.gates.Has(ha.InSync) && w.sides[1-s.index].shown.role == ha.Master.String()
	case e.Sync != nil:
		// A peer that cannot serve sends its table without being MASTER.
		s.synced = s.synced || e.Sync.Phase == "insync"
	case e.BFD != nil:
		path := 0
		if e.BFD.Path == "sync" {
			path = 1
		}
		s.shown.up[path] = e.BFD.To == bfd.Up.String()
	case e.Role != nil && e.Role.From != e.Role.To:
		s.shown.role = e.Role.To
		if w.watch != nil {
			w.watch(fmt.Sprintf("%s %s → %s: %s (epoch %d)", ids[s.index], e.Role.From, e.Role.To, e.Role.Reason, e.Role.Epoch))
		}
		w.checkRole(s, e.Role)
	}
}

func gateNamed(name string) ha.Gates {
	for gate := range ha.AllGates.Each() {
		if gate.String() == name {
			return gate
		}
	}
	return 0
}

func (w *world) checkForwarders() {
	if w.sides[0].lease > w.now && w.sides[1].lease > w.now && !w.divided {
		although := "heartbeats pass both ways"
		if w.opts.Arbiter {
			although = "an arbiter decides"
		}
		w.report(CheckForwarders, "lb1 (%s) and lb2 (%s) both forward, for %v and %v more, and %s",
			roleOf(&w.sides[0]), roleOf(&w.sides[1]), w.sides[0].lease.Sub(w.now), w.sides[1].lease.Sub(w.now), although)
	}
}

func roleOf(s *side) string {
	switch {
	case s.core == nil:
		return "no daemon"
	case s.frozen:
		return s.shown.role + ", frozen"
	}
	return s.shown.role
}

func (w *world) checkRole(s *side, r *trace.Role) {
	switch {
	case r.From == ha.Backup.String() && r.To == ha.Claiming.String():
		s.degraded = r.Degraded
		w.checkClaim(s, r)
	case r.To == ha.Master.String() && r.From != ha.Master.String():
		s.synced = s.synced || !s.degraded // as MASTER its own table is the complete one
		w.checkEpoch(s, r)
		w.checkTable(s, r)
	}
}

// A claim needs all gates of claimNeeds and of one of claimWays.
var (
	claimNeeds = ha.LinksUp | ha.DataplaneReady | ha.Reachable | ha.Arbitrated
	claimWays  = []ha.Gates{ha.Granted, ha.NoMaster | ha.HoldDown | ha.InSync, ha.NoMaster | ha.HoldDown | ha.Degraded}
)

func (w *world) checkClaim(s *side, r *trace.Role) {
	var open ha.Gates
	for _, name := range r.Gates {
		open |= gateNamed(name)
	}
	passes := false
	for _, way := range claimWays {
		passes = passes || open.Has(claimNeeds|way)
	}
	up := w.now.Sub(s.born)
	switch granted := open.Has(ha.Granted); {
	case !passes:
		w.report(CheckGates, "%s claims although no set of gates allows it: open are %s", ids[s.index], open)
	case !s.carrier && len(s.inbox) == 0:
		w.report(CheckGates, "%s claims without carrier", ids[s.index])
	case s.unreached && len(s.inbox) == 0:
		w.report(CheckGates, "%s claims although its tracked host does not answer", ids[s.index])
	case s.stopping:
		w.report(CheckGates, "%s claims although it was asked to stop", ids[s.index])
	case up < hold && !granted && !s.synced && !w.startsCold(s):
		w.report(CheckGates, "%s claims ungranted and without a table %v after its boot, before the recovery delay of %v has run", ids[s.index], up, hold)
	}
}

// startsCold reports whether a side may claim before its recovery delay because there is no table
// to wait for: it has learned of no MASTER and no table since boot, no dataplane has a flow or a
// lease, and all its sessions are Up. The peer's state does not matter: it may have died within
// the detection time, or know of a MASTER whose table is lost.
func (w *world) startsCold(s *side) bool {
	for i := range w.sides {
		if of := &w.sides[i]; of.table != 0 || of.lease > w.now {
			return false
		}
	}
	return s.knows == 0 && s.shown.up == [2]bool{true, true}
}

// checkTable reports a new MASTER that lacks a flow of its live and reachable peer. Flows that were
// never replicated do not count.
func (w *world) checkTable(s *side, r *trace.Role) {
	peer := &w.sides[1-s.index]
	if w.divided || s.degraded || !peer.reads() || !s.shown.up[0] && !s.shown.up[1] || !peer.carrier {
		return
	}
	if lacks := w.shared & peer.table &^ s.table; lacks != 0 {
		w.report(CheckGates, "%s becomes MASTER (%s) without %d flow(s) that its live peer holds", ids[s.index], r.Reason, ones(lacks))
	}
}

func ones(bits uint8) int {
	n := 0
	for ; bits != 0; bits &= bits - 1 {
		n++
	}
	return n
}

func (w *world) checkEpoch(s *side, r *trace.Role) {
	if r.Epoch <= s.knows {
		w.report(CheckEpoch, "%s becomes MASTER with epoch %d after it has heard of epoch %d", ids[s.index], r.Epoch, s.knows)
	}
	s.knows = max(s.knows, r.Epoch)
}

func (w *world) checkAnnounce(s *side, count int) {
	switch {
	case s.lease <= w.now:
		w.report(CheckAnnounce, "%s (%s) announces while its dataplane does not forward", ids[s.index], s.shown.role)
	case count == 1 && hasApply(s.driver.Waiting()):
		w.report(CheckAnnounce, "%s (%s) announces while synced entries wait to be written", ids[s.index], s.shown.role)
	}
}

func hasApply(effects []node.Effect) bool {
	for _, e := range effects {
		if _, ok := e.(node.Apply); ok {
			return true
		}
	}
	return false
}

// noteShared records which flows have been in both tables at once.
func (w *world) noteShared() { w.shared |= w.sides[0].table & w.sides[1].table }

// noteDivision tracks whether the pair is partitioned. Without heartbeats in either direction two
// nodes cannot avoid forwarding both. That is excused until heartbeats pass again and the two have
// settled who stays MASTER.
func (w *world) noteDivision() {
	if w.opts.strict || w.opts.Arbiter && w.opts.Policy == node.FailClosed {
		return // the arbiter decides, so a partition excuses nothing
	}
	if w.mute(0) && w.mute(1) && (!w.opts.Arbiter || w.store.missed(0) || w.store.missed(1)) {
		w.divided, w.heard = true, [2]bool{}
		return
	}
	if !w.divided || w.sides[0].lease > w.now && w.sides[1].lease > w.now {
		return
	}
	a, b := &w.sides[0], &w.sides[1]
	switch {
	case a.core == nil || b.core == nil:
		w.divided = a.core == nil && a.lease > w.now || b.core == nil && b.lease > w.now
	case w.heard == [2]bool{true, true} && !a.frozen && !b.frozen && a.shown.up == [2]bool{true, true} && b.shown.up == a.shown.up && a.stream != 0 && a.stream == b.stream && w.idle():
		w.divided = holds(a) && holds(b)
	}
}

// mute reports whether none of a side's heartbeats reaches the other.
func (w *world) mute(side int) bool {
	return w.sides[side].blocked || w.cut[side] == [2]bool{true, true}
}

func holds(s *side) bool {
	for _, role := range ha.Roles() {
		if role.String() == s.shown.role {
			return role.Holds()
		}
	}
	return false
}

// converged reports whether one side is a forwarding MASTER, the other a BACKUP in sync, and nothing
// is in flight.
func (w *world) converged() bool {
	if !w.idle() {
		return false
	}
	for i := range w.sides {
		master, backup := &w.sides[i], &w.sides[1-i]
		if master.shown.role == ha.Master.String() && master.lease > w.now &&
			backup.shown.role == ha.Backup.String() && backup.shown.gates.Has(ha.InSync) && backup.stream == master.stream && backup.stream != 0 {
			return true
		}
	}
	return false
}

// Times of the liveness phase.
const (
	recovery = 15 * time.Second // longer than the longest recovery delay of a flapping node
	step     = 50 * time.Millisecond
)

// mend heals all cuts and blocks, and the ways to the arbiter.
func (w *world) mend() {
	w.cut = [2][2]bool{}
	for i := range w.sides {
		w.store.reach(i)
		w.sides[i].blocked = false
	}
}

// parted reports whether anything is cut or blocked between the nodes.
func (w *world) parted() bool {
	return w.cut != [2][2]bool{} || w.sides[0].blocked || w.sides[1].blocked
}

// judgeRecovery heals everything and reports a violation if the pair does not recover.
func (w *world) judgeRecovery(live map[uint64]bool) {
	if w.recovers(live) {
		return
	}
	w.report(CheckStranded, "%v after everything is healed the pair is lb1 %s, lb2 %s, without one MASTER and one BACKUP in sync",
		recovery, roleOf(&w.sides[0]), roleOf(&w.sides[1]))
	w.found.healing = true
}

// recovers heals everything, runs a fair schedule and reports whether the pair converges. It adds
// the states on a successful way to live, and stops early at a state that is already in it.
func (w *world) recovers(live map[uint64]bool) bool {
	var passed []uint64
	w.healAllBut(left{})
	for end := w.now.Add(recovery); w.now < end && w.found == nil; {
		for i := range w.sides {
			if s := &w.sides[i]; s.core == nil {
				w.boot(s)
			}
		}
		w.settle()
		w.note()
		key := w.fingerprint()
		passed = append(passed, key)
		if live[key] || w.converged() {
			for _, key := range passed {
				live[key] = true
			}
			return true
		}
		w.pass(step, nil)
	}
	return false
}
