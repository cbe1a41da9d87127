package campaign

import (
	"strings"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/sim"
)

// filterShare is the probability of one more filter.
const filterShare = 0.3

// filters draws packet filters between the nodes, as of a firewall or policer: they drop heartbeats
// but not the sync stream, or the reverse, in one direction or both. Half of the filters also
// freeze the sending node, often before a session is Down.
func (d *drawing) filters(draw *sim.Random) {
	for at := calm; draw.Chance(filterShare); {
		at += draw.Between(100*time.Millisecond, 6*time.Second).Truncate(time.Millisecond)
		until := at + draw.Between(300*time.Millisecond, 4*time.Second).Truncate(time.Millisecond)
		side := draw.Below(2)
		node, peer := lab.Nodes()[side], lab.Nodes()[1-side]
		what := pickOf(draw, lab.BFD, lab.BFD, lab.Stream) + " " + node + pickOf(draw, " -> ", " <-> ") + peer
		freeze := at + draw.Between(0, 500*time.Millisecond).Truncate(time.Millisecond)
		thaw := freeze + draw.Between(20*time.Millisecond, 400*time.Millisecond).Truncate(time.Millisecond)
		stands := draw.Chance(0.5)
		if until > healed-time.Second {
			return
		}
		if !d.healedWithin(at, until) && !d.impairedWithin(at, until) {
			d.step(at, "cut %s for %s", what, until-at)
			if stands && d.runsAt(node, freeze) && !d.named(node, freeze, thaw+settling) {
				d.step(freeze, "%s %s", fault.Freeze, node)
				d.step(thaw, "%s %s", fault.Thaw, node)
			}
		}
		at = until + 10*time.Millisecond
	}
}

// impairedWithin reports whether a fault with a duration overlaps a time. Its heal would also end
// other faults of the same kind of packets.
func (d *drawing) impairedWithin(from, to time.Duration) bool {
	for _, s := range d.timeline {
		_, lasts, heals := strings.Cut(s.text, " for ")
		if long, err := time.ParseDuration(lasts); heals && err == nil && s.at <= to && s.at+long >= from {
			return true
		}
	}
	return false
}

// named reports whether a step between two times names a node.
func (d *drawing) named(node string, from, to time.Duration) bool {
	for _, s := range d.timeline {
		if s.at >= from && s.at <= to && strings.Contains(s.text, " "+node) {
			return true
		}
	}
	return false
}
