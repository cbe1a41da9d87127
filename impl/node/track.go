package node

// Track says which hosts a node must reach to be of use as MASTER: the backends, or
// the routers behind which they are. Whoever drives the node probes them.
type Track struct {
	Targets []string // names, in the order in which they are reported
	// Misses in a row lose a target, and as many answers bring it back, so that a
	// lossy path changes nothing at each packet.
	Misses int
}

// target is what is known of one target.
type target struct {
	name     string
	answered bool // so many probes in a row at some time, and not lost since
	lost     bool // has been answered before
	streak   int  // probes in a row that say the opposite
}

func newTargets(names []string) []target {
	targets := make([]target, len(names))
	for i, name := range names {
		targets[i].name = name
	}
	return targets
}

// receiveProbe counts what came of a probe. A name that is not tracked counts nowhere.
func (n *Node) receiveProbe(p Probe) {
	for i := range n.targets {
		if n.targets[i].name == p.Target {
			n.targets[i].count(p.Answered, n.cfg.Track.Misses)
		}
	}
}

func (t *target) count(answered bool, misses int) {
	if answered == t.answered {
		t.streak = 0
		return
	}
	if t.streak++; t.streak < misses {
		return
	}
	t.answered, t.lost, t.streak = answered, !answered, 0
}

// judgeReachable closes the gate while one target does not answer.
func (n *Node) judgeReachable() (bool, why) {
	if len(n.targets) == 0 {
		return true, why{text: "no target is tracked"}
	}
	for _, t := range n.targets {
		switch {
		case t.lost:
			return false, why{text: t.name + " does not answer any more"}
		case !t.answered:
			return false, why{text: t.name + " has not answered yet"}
		}
	}
	return true, why{text: "every tracked target answers"}
}
