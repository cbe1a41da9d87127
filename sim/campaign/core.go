package campaign

import (
	"slices"
	"strings"
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// coreShare is in how many of the rough cases only a core is healed at the end.
const coreShare = 0.6

// healCore ends the phase of faults for a core alone, one node and what it tracks, and
// leaves what else was drawn for ever: the other node down or frozen, or cuts between
// the two, of a path or of one of its directions. Of what a node loses towards clients and
// backends only what it tracks may stay: nothing else can make it yield. A gateway is also a
// client, and a node that hears neither it nor its peer does not serve: its cut does not stay.
// Where that leaves nothing, something is cut that stays.
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
		// A node that hears of no other node keeps the role, even without its targets.
		stay = slices.DeleteFunc(stay, func(cut string) bool { return strings.Contains(cut, "-> "+lab.Backends) })
	}
	if len(stay) < len(d.cuts) { // cuts overlap: all are healed, and what stays is cut at the same instant
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
	// Of two MASTERs one may hear the other again and yield; where the other hears nothing
	// of that, hosts find it by its next refresh.
	at += plan.SlowInterval + plan.HearLimit + d.recovery()
	if d.jumps { // no clock does any more
		d.step(at, "expect exclusive and kept throughout 20s")
	}
	// Two MASTERs whose announcements are lost now and then, or that began together and announce
	// within a packet's delay of each other, may end with one at the clients' edge and the other at
	// the backends', until both of one's next pair arrive last.
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

// interruptShare is how often a handover is asked for when its stream is about to die.
const interruptShare = 0.3

// interrupt cuts what the role is handed over by.
func (d *drawing) interrupt(at time.Duration, node, peer *machine) {
	if d.core.Chance(interruptShare) && node.runs() && peer.runs() && at-peer.since >= settling {
		d.cut(at, pickOf(d.core, node.name+" -> "+peer.name, peer.name+" -> "+node.name)+" via sync")
	}
}
