package explore

import (
	"fmt"

	"baton/impl/driver"
	"baton/impl/ha"
	"baton/impl/node"
)

// choice is one transition of the walk: what happens, and to which side.
type choice struct {
	verb verb
	side uint8
}

type verb uint8

const (
	// Normal progress.
	arrives   verb = iota // the oldest frame sent by a side arrives
	completes             // the dataplane call that a side waits for completes
	settles               // all frames, calls and the stream's establishment complete at once
	beats                 // time advances by Beat
	waits                 // time advances until something changes
	connects
	opensFlow
	// Repairs.
	restores
	thaws
	plugs
	answers    // the tracked host answers again
	consults   // the oldest question or answer between a side and the arbiter is delivered
	reconnects // a side reaches the arbiter without delay again
	heals
	healsClients // what a side sends on that path
	healsSync
	// Faults.
	refuses // the call that a side waits for fails
	halves  // it fails after half of it was applied
	blocks  // the kernel of a side refuses to send its heartbeats
	kills   // the daemon
	crashes // the host
	freezes
	unplugs
	misses     // the tracked host stops answering a side
	delays     // a side's questions to the arbiter and their answers
	loses      // a side cannot reach the arbiter
	cutsOneWay // what a side sends, on every path
	cutsClientsOneWay
	cutsSyncOneWay
	cutsSync // the sync link, both ways
	stops
	hands // handover
)

func (c choice) isFault() bool { return c.verb >= refuses }

// choices lists the possible choices in a fixed order.
func (w *world) choices() []choice {
	var all []choice
	add := func(v verb, side int, possible bool) {
		if c := (choice{v, uint8(side)}); possible && !(c.isFault() && w.faults >= w.opts.Faults) {
			all = append(all, c)
		}
	}
	for i := range w.sides {
		s := &w.sides[i]
		runs := s.core != nil
		awake := runs && !s.frozen
		add(arrives, i, w.canArrive(i))
		add(completes, i, awake && s.busy())
		add(opensFlow, i, s.reads() && s.lease > w.now && s.shown.role == ha.Master.String() && w.flows < w.opts.Flows)
		add(restores, i, !runs)
		add(thaws, i, s.frozen)
		add(plugs, i, !s.carrier)
		add(answers, i, s.unreached)
		add(consults, i, w.storePending(i))
		add(reconnects, i, w.store.delayed[i] || w.store.lost[i])
		add(refuses, i, awake && s.busy())
		add(halves, i, awake && s.busy() && divisible(s.driver.Waiting()[0]))
		add(blocks, i, runs && !s.blocked)
		add(kills, i, runs)
		add(crashes, i, runs)
		add(freezes, i, awake)
		add(unplugs, i, awake && s.carrier)
		add(misses, i, awake && !s.unreached)
		add(delays, i, w.opts.Arbiter && !w.store.delayed[i] && !w.store.lost[i])
		add(loses, i, w.opts.Arbiter && !w.store.lost[i])
		add(cutsOneWay, i, w.cut[i] != [2]bool{true, true})
		add(cutsClientsOneWay, i, w.opts.Directions && w.cut[i] == [2]bool{})
		add(cutsSyncOneWay, i, w.opts.Directions && w.cut[i] == [2]bool{})
		add(healsClients, i, w.opts.Directions && w.cut[i][0])
		add(healsSync, i, w.opts.Directions && w.cut[i][1])
		add(stops, i, s.reads() && !s.stopping)
		add(hands, i, s.reads() && s.shown.role == ha.Master.String())
	}
	add(cutsSync, 0, !w.cut[0][1] && !w.cut[1][1])
	add(heals, 0, w.parted())
	add(connects, 0, w.canConnect())
	add(settles, 0, !w.idle())
	add(beats, 0, true)
	add(waits, 0, true)
	return all
}

// divisible reports whether an effect can be applied by half: it has at least two entries.
func divisible(e node.Effect) bool {
	apply, is := e.(node.Apply)
	return is && len(apply.Entries) > 1
}

// apply executes a choice.
func (w *world) apply(c choice) {
	if c.isFault() {
		w.faults++
	}
	w.happen(c)
	w.flush()
	w.note()
}

// note updates what the claims need to know of the past.
func (w *world) note() {
	w.noteDivision()
	w.noteShared()
}

func (w *world) happen(c choice) {
	s := &w.sides[c.side]
	switch c.verb {
	case arrives:
		w.arrive(int(c.side))
	case completes:
		w.complete(s, driver.Succeeds)
	case settles:
		w.settle()
	case beats:
		w.pass(Beat, nil)
	case waits:
		before := w.outline()
		w.pass(longest, func() bool { return w.outline() != before })
	case connects:
		w.connect()
	case opensFlow:
		w.open(s)
	case restores:
		w.boot(s)
	case thaws:
		w.thaw(s)
	case plugs:
		w.carry(s, true)
	case answers:
		w.probe(s, true)
	case consults:
		w.stepStore(int(c.side))
	case reconnects:
		w.store.reach(int(c.side))
	case delays:
		w.store.delayed[c.side] = true
	case loses:
		w.store.lost[c.side] = true
		w.store.forget(int(c.side))
	case heals:
		w.mend()
	case refuses:
		w.complete(s, driver.Fails)
	case halves:
		w.complete(s, driver.FailsHalfway)
	case blocks:
		s.blocked = true
	case kills:
		w.end(s)
	case crashes:
		w.crash(s)
	case freezes:
		s.frozen = true
	case unplugs:
		w.carry(s, false)
	case misses:
		w.probe(s, false)
	case cutsOneWay:
		w.cut[c.side] = [2]bool{true, true}
	case cutsClientsOneWay:
		w.cut[c.side][0] = true
	case cutsSyncOneWay:
		w.cut[c.side][1] = true
	case healsClients:
		w.cut[c.side][0] = false
	case healsSync:
		w.cut[c.side][1] = false
	case cutsSync:
		w.cut[0][1], w.cut[1][1] = true, true
	case stops:
		s.stopping = true
		w.input(s, node.Stop{})
	case hands:
		w.input(s, node.Handover{})
	}
}

// thaw resumes a frozen daemon, which reads what has arrived meanwhile.
func (w *world) thaw(s *side) {
	if s.frozen {
		s.frozen = false
		w.work(s)
		w.flush()
	}
}

// carry sets the carrier of a side's service links.
func (w *world) carry(s *side, up bool) {
	if s.carrier != up {
		s.carrier = up
		w.input(s, node.Link{Name: "client0", Up: up})
		w.flush()
	}
}

// probes is how many equal probe results arrive at once: enough to lose the tracked host, and for a
// MASTER to yield for a lost gateway.
const probes = 1 + node.SettledMisses

// probe makes the tracked host answer a side, or stop answering it.
func (w *world) probe(s *side, answered bool) {
	if s.unreached == answered {
		s.unreached = !answered
		for range probes {
			w.input(s, node.Probe{Target: tracked, Answered: answered})
		}
		w.flush()
	}
}

// describe describes a choice in the state before it, for the trace of a violation.
func (w *world) describe(c choice) string {
	s, id := &w.sides[c.side], ids[c.side]
	peer := ids[1-c.side]
	switch c.verb {
	case arrives:
		return fmt.Sprintf("%s reaches %s", w.sent[c.side][0], peer)
	case completes:
		return fmt.Sprintf("%s on %s completes", writes(s.driver.Waiting()[0]), id)
	case refuses:
		return fmt.Sprintf("%s on %s fails", writes(s.driver.Waiting()[0]), id)
	case halves:
		return fmt.Sprintf("%s on %s fails halfway", writes(s.driver.Waiting()[0]), id)
	case blocks:
		return "the kernel of " + id + " refuses to send heartbeats"
	case settles:
		return "all that is on its way arrives and completes"
	case beats:
		return fmt.Sprintf("%v pass", Beat)
	case waits:
		return "time passes until something changes"
	case connects:
		return "lb1 dials the sync stream"
	case opensFlow:
		return "a client opens a flow through " + id
	case restores:
		return "the daemon of " + id + " is started"
	case thaws:
		return id + " thaws"
	case plugs:
		return "the service link of " + id + " has carrier again"
	case answers:
		return "the tracked host answers " + id + " again"
	case consults:
		if len(w.store.answered[c.side]) > 0 {
			return "the arbiter's answer reaches " + id
		}
		return "the arbiter takes the question of " + id
	case reconnects:
		return "the arbiter answers " + id + " promptly"
	case delays:
		return "the arbiter becomes slow towards " + id
	case loses:
		return id + " does not reach the arbiter any more"
	case heals:
		return "all cuts and blocks are healed"
	case kills:
		return "the daemon of " + id + " is killed"
	case crashes:
		return id + " loses power"
	case freezes:
		return id + " freezes"
	case unplugs:
		return "the service link of " + id + " loses carrier"
	case misses:
		return "the tracked host does not answer " + id + " any more"
	case cutsOneWay:
		return fmt.Sprintf("nothing that %s sends reaches %s any more", id, peer)
	case cutsClientsOneWay:
		return fmt.Sprintf("nothing that %s sends on the client side reaches %s any more", id, peer)
	case cutsSyncOneWay:
		return fmt.Sprintf("nothing that %s sends on the sync link reaches %s any more", id, peer)
	case healsClients:
		return fmt.Sprintf("what %s sends on the client side reaches %s again", id, peer)
	case healsSync:
		return fmt.Sprintf("what %s sends on the sync link reaches %s again", id, peer)
	case cutsSync:
		return "the sync link is cut"
	case stops:
		return id + " is asked to stop"
	default:
		return "the operator asks " + id + " for a handover"
	}
}

// String names a frame.
func (f frame) String() string {
	switch {
	case f.kind == opens:
		return "the establishment of the stream"
	case f.kind == closes:
		return "the end of the stream"
	}
	return frameName(f.data)
}
