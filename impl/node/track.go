package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// Track names the hosts that a MASTER must reach: the backends, or the routers in front
// of them. The caller of the node probes them.
type Track struct {
	Targets []string // names, in the order in which they are reported
	// Misses failed probes in a row lose a target, and as many answers bring it back.
	// So a lossy path does not change the state with each packet.
	Misses int
}

// target is the state of one target.
type target struct {
	name     string
	answered bool // Misses probes in a row were answered, and the target has not been lost since
	lost     bool // it had been answered before
	streak   int  // probes in a row that contradict the state
	missed   int  // probes not answered since it was lost, at most SettledMisses
	changed  clock.Instant
}

func (t *target) fingerprint(h *fingerprint.Hash) {
	h.Text(t.name)
	h.Flag(t.answered)
	h.Flag(t.lost)
	h.Int(t.streak)
	h.Int(t.missed)
	h.Instant(t.changed)
}

// SettledMisses is how many more failed probes than its own a MASTER waits for its peer to lose
// the same host.
const SettledMisses = 2

// tracker keeps the state of all targets.
type tracker struct {
	misses  int // in a row that lose a target
	rise    int // answers in a row that bring it back
	targets []target
}

func (t *tracker) fingerprint(h *fingerprint.Hash) {
	h.Int(t.misses)
	h.Int(t.rise)
	h.Int(len(t.targets))
	for i := range t.targets {
		t.targets[i].fingerprint(h)
	}
}

// reach is a summary of all targets.
type reach struct {
	tracked bool          // there is a target
	lost    string        // a target that answered and no longer does
	awaited string        // a target that has not answered yet
	settled bool          // the peer, which probes as often, knows that it is lost too
	since   clock.Instant // when the named target last changed
}

func newTracker(cfg Track) tracker {
	t := tracker{misses: cfg.Misses, rise: cfg.Misses, targets: make([]target, len(cfg.Targets))}
	for i, name := range cfg.Targets {
		t.targets[i].name = name
	}
	return t
}

// receive counts the result of a probe. It ignores a name that is not tracked.
func (t *tracker) receive(now clock.Instant, p Probe) {
	for i := range t.targets {
		if t.targets[i].name == p.Target {
			needed := t.misses
			if p.Answered {
				needed = t.rise
			}
			t.targets[i].count(now, p.Answered, needed)
		}
	}
}

func (t *target) count(now clock.Instant, answered bool, needed int) {
	if answered == t.answered {
		t.streak = 0
		if t.lost {
			t.missed = min(t.missed+1, SettledMisses)
		}
		return
	}
	if t.streak++; t.streak < needed {
		return
	}
	t.answered, t.lost, t.streak, t.missed, t.changed = answered, !answered, 0, 0, now
}

// lacks reports whether a target does not answer.
func (r reach) lacks() bool { return r.lost != "" || r.awaited != "" }

// lostSince returns since when a target has not answered; Never while all do.
func (t *tracker) lostSince() clock.Instant {
	if r := t.reach(); r.lacks() {
		return r.since
	}
	return clock.Never
}

// reach names the first target that does not answer.
func (t *tracker) reach() reach {
	r := reach{tracked: len(t.targets) > 0}
	for i := range t.targets {
		switch target := &t.targets[i]; {
		case target.lost:
			r.lost, r.since, r.settled = target.name, target.changed, target.missed == SettledMisses
			return r
		case !target.answered:
			r.awaited, r.since = target.name, target.changed
			return r
		}
	}
	return r
}
