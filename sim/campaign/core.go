package campaign

import (
	"slices"
	"strings"
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// coreShare is the share of rough cases in which only a core is healed at the end.
const coreShare = 0.6

// healCore ends the fault phase for a core only: one node and the hosts it tracks. Other faults may
// stay for ever: the other node down or frozen, or cuts between the two nodes. Of the cuts towards
// clients and backends only the other node's towards the backends may stay, and only if the nodes
// track them: nothing else makes it yield. A cut of the gateway never stays: a node that hears
// neither gateway nor peer does not serve. If both nodes run and nothing is cut, a cut is added.
func (d *drawing) healCore(pair [2]*machine) {
	side := d.core.Below(2)
	core, other := pair[side], pair[1-side]
	at := healed + time.Second
	if len(d.cuts) == 0 && core.runs() && other.runs() {
		d.cut(at, pickOf(d.core, d.severable(at, other, core)...))
	}
	at += 2 * time.Second
	var stay []string
	for _, cut := range d.cuts {
		lost := strings.Contains(cut, lab.Clients+" ->") || strings.Contains(cut, "-> "+lab.Backends) || d.gateway != "" && strings.HasSuffix(cut, "-> "+d.gateway)
		if d.core.Chance(0.7) && (!lost || d.tracks && cut == other.name+" -> "+lab.Backends) {
			stay = append(stay, cut)
		}
	}
	if silences(stay, core.name, other.name) {
		// A node that does not hear its peer keeps the role even without its targets.
		stay = slices.DeleteFunc(stay, func(cut string) bool { return strings.Contains(cut, "-> "+lab.Backends) })
	}
	if len(stay) < len(d.cuts) { // cuts overlap, so heal all and cut again those that stay, at the same instant
		d.step(at, "heal")
		for _, cut := range stay {
			d.step(at, "cut %s", cut)
		}
	}
	d.cuts = stay
	restored := 0
	for _, node := range pair {
		stays := node == other && d.core.Chance(0.4)
		switch {
		case stays:
		case node.frozen:
			d.step(at, "thaw %s", node.name)
			node.frozen = false
		case node.down:
			d.step(at, "restore %s", node.name)
			node.down = false
			restored++
		}
	}
	// Of two MASTERs one may hear the other again and yield. The other may not notice; then hosts
	// return to it only with its next refresh.
	at += plan.SlowInterval + plan.HearLimit + d.recovery()
	if d.jumps { // no clock steps any more
		d.step(at, "expect exclusive and kept throughout 20s")
	}
	// Two MASTERs may split the edges: clients send to one and backends to the other, until both
	// announcements of one arrive last. That happens if announcements are lost, or if both nodes
	// started together and announce within a packet's delay of each other.
	apart := core.runs() && other.runs() && silences(stay, core.name, other.name)
	if !apart || !d.garpsLost && restored < len(pair) {
		d.step(at, "expect gap(probe) < 1s")
	}
	d.step(at+20*time.Second, "end")
}

// silences reports whether cuts drop something on every path between two nodes.
func silences(cuts []string, one, other string) bool {
	dropped := func(path string) bool {
		return slices.ContainsFunc(cuts, func(cut string) bool {
			_, via, named := strings.Cut(cut, " via ")
			return strings.Contains(cut, one) && strings.Contains(cut, other) && (!named || via == path)
		})
	}
	return dropped(lab.Clients) && dropped(lab.Sync)
}

// interruptShare is the share of handovers during which the sync stream is cut.
const interruptShare = 0.3

// interrupt cuts one direction of the sync path just before a handover.
func (d *drawing) interrupt(at time.Duration, node, peer *machine) {
	if d.core.Chance(interruptShare) && node.runs() && peer.runs() && at-peer.since >= settling {
		d.cut(at, pickOf(d.core, node.name+" -> "+peer.name, peer.name+" -> "+node.name)+" via sync")
	}
}
