package explore

import (
	"strings"
	"time"

	"baton/impl/clock"
)

// left is the one fault of a state that stays while all others are healed.
type left struct {
	cut      [2][2]bool // by sender and path
	down     [2]bool
	frozen   [2]bool
	blocked  [2]bool
	unplug   [2]bool
	unreach  [2]bool
	anything bool // false if everything is healed
}

func (l left) String() string {
	if !l.anything {
		return "nothing"
	}
	var whats []string
	for i, id := range ids {
		for path, name := range []string{"clients", "sync"} {
			if l.cut[i][path] {
				whats = append(whats, "what "+id+" sends on "+name+" is lost")
			}
		}
		for _, f := range []struct {
			is   bool
			what string
		}{{l.down[i], "has no daemon"}, {l.frozen[i], "is frozen"}, {l.blocked[i], "cannot send heartbeats"},
			{l.unplug[i], "has no carrier"}, {l.unreach[i], "does not reach the tracked host"}} {
			if f.is {
				whats = append(whats, id+" "+f.what)
			}
		}
	}
	return strings.Join(whats, ", ")
}

// remainders lists the faults of a state that may be left alone. A cut counts per direction of a
// path, per sender and per path.
func (w *world) remainders() []left {
	var all []left
	add := func(is bool, set func(*left)) {
		if is {
			l := left{anything: true}
			set(&l)
			all = append(all, l)
		}
	}
	for i := range w.sides {
		s := &w.sides[i]
		for path := range w.cut[i] {
			add(w.cut[i][path], func(l *left) { l.cut[i][path] = true })
		}
		add(w.cut[i] == [2]bool{true, true}, func(l *left) { l.cut[i] = w.cut[i] })
		add(w.cut[0][i] && w.cut[1][i], func(l *left) { l.cut[0][i], l.cut[1][i] = true, true }) // i: the path
		add(s.core == nil, func(l *left) { l.down[i] = true })
		add(s.frozen, func(l *left) { l.frozen[i] = true })
		add(s.blocked, func(l *left) { l.blocked[i] = true })
		add(!s.carrier, func(l *left) { l.unplug[i] = true })
		add(s.unreached, func(l *left) { l.unreach[i] = true })
	}
	return all
}

// healAllBut heals every fault except l.
func (w *world) healAllBut(l left) {
	w.cut = l.cut
	for i := range w.sides {
		w.store.reach(i)
		s := &w.sides[i]
		s.blocked = l.blocked[i]
		if !l.frozen[i] {
			w.thaw(s)
		}
		w.carry(s, !l.unplug[i])
		w.probe(s, !l.unreach[i])
	}
}

// able reports whether a side can serve despite the fault that is left. A side that cannot send
// heartbeats can: its sync stream shows that it is alive.
func (l left) able(side int) bool {
	return !l.down[side] && !l.frozen[side] && !l.unplug[side] && !l.unreach[side]
}

// served reports whether exactly one side forwards, and it is able to serve.
func (w *world) served(l left) bool {
	forward := [2]bool{w.sides[0].lease > w.now, w.sides[1].lease > w.now}
	return forward[0] != forward[1] && (forward[0] && l.able(0) || forward[1] && l.able(1))
}

// steady is how long service must last to count: longer than a detection time and than any state
// that a node keeps without heartbeats.
const steady = 2 * time.Second

// judgeCores tries each fault of the state as the only one left, and reports a violation if the
// pair does not serve. live holds, for each, the states from which the pair was seen to serve.
func (w *world) judgeCores(live map[left]map[uint64]bool) {
	for _, l := range w.remainders() {
		if !l.able(0) && !l.able(1) {
			continue
		}
		at := w.clone()
		if live[l] == nil {
			live[l] = map[uint64]bool{}
		}
		if at.judgeCore(l, live[l]); at.found != nil {
			w.found = at.found
			return
		}
	}
}

// judgeCore heals all faults except l and reports a violation if the pair does not serve.
func (w *world) judgeCore(l left, live map[uint64]bool) {
	var passed []uint64
	w.healAllBut(l)
	since := clock.Never
	for end := w.now.Add(recovery + steady); w.now < end && w.found == nil; {
		for i := range w.sides {
			if s := &w.sides[i]; s.core == nil && !l.down[i] {
				w.boot(s)
			}
		}
		w.settle()
		w.note()
		key := w.fingerprint()
		passed = append(passed, key)
		if !w.served(l) {
			since = clock.Never
		} else {
			since = min(since, w.now)
		}
		if live[key] || w.now >= since.Add(steady) && since != clock.Never {
			for _, key := range passed {
				live[key] = true
			}
			return
		}
		w.pass(step, nil)
	}
	w.report(CheckStranded, "%v after all but this is healed: %v, the pair is lb1 %s, lb2 %s, and no one that can serve does so alone",
		recovery, l, roleOf(&w.sides[0]), roleOf(&w.sides[1]))
	w.found.healing, w.found.left = true, l
}
