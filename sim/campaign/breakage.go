package campaign

import (
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/sim"
)

// breakageShare is in how many of the rough cases a node begins with a dataplane that is
// broken, and is never mended: its next process has a sound one.
const breakageShare = 0.2

// breakage draws what a node cannot do, from a stream of its own. A pair serves through each
// of these: what a node cannot learn from events it reads, and what it cannot read it says.
func (d *drawing) breakage(draw *sim.Random) {
	node := lab.Nodes()[draw.Below(2)]
	verb := pickOf(draw, fault.Events+" lost", fault.Map+" unread")
	if draw.Chance(breakageShare) {
		d.step(calm-time.Millisecond, "%s %s", verb, node)
		if verb == fault.Map+" unread" {
			d.unread = node
		}
	}
}

// damageShare is in how many of the rough cases the table of a node is damaged.
const damageShare = 0.15

// damage draws of which, from a stream of its own. It is done before the first fault, while
// both nodes run, which may end either before it has repaired its table. A node that cannot
// read its table never repairs it.
func (d *drawing) damage(draw *sim.Random) {
	if node := pickOf(draw, lab.Nodes()...); draw.Chance(damageShare) && node != d.unread {
		d.step(calm-2*time.Millisecond, "map damaged %s", node)
	}
}

// settled is what the pair comes to once every other fault is healed. While a MASTER cannot
// read its dataplane its peer is not in sync, because there may be flows that it was not told of.
func (d *drawing) settled(pair [2]*machine) string {
	for _, node := range pair {
		if node.name == d.unread && !node.ended {
			return "masters == 1"
		}
	}
	return "converged"
}
