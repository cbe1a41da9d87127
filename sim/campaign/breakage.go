package campaign

import (
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/sim"
)

// breakageShare is the share of rough cases in which a node starts with a broken dataplane. It is
// never mended; the node's next process has a sound one.
const breakageShare = 0.2

// breakage draws which dataplane access fails. A pair keeps serving through either: a node that
// loses flow events reads its table, and one that cannot read its table reports so.
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

// damageShare is the share of rough cases in which a node's table is damaged.
const damageShare = 0.15

// damage draws the node whose table is damaged, before the first fault and while both nodes run. A
// later fault may end the node before it has repaired its table. A node that cannot read its
// table cannot repair it, so it is never drawn.
func (d *drawing) damage(draw *sim.Random) {
	if node := pickOf(draw, lab.Nodes()...); draw.Chance(damageShare) && node != d.unread {
		d.step(calm-2*time.Millisecond, "map damaged %s", node)
	}
}

// settled is the state that the pair must reach once every other fault is healed. While a MASTER
// cannot read its dataplane its peer is not in sync, because flows may be missing.
func (d *drawing) settled(pair [2]*machine) string {
	for _, node := range pair {
		if node.name == d.unread && !node.ended {
			return "masters == 1"
		}
	}
	return "converged"
}
