package campaign

import (
	"slices"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// gentle draws one fault at a time and waits until the pair has recovered before the next.
func (d *drawing) gentle() {
	enabled := d.enabled(fault.Crash, fault.Kill, fault.Stop, fault.Freeze, fault.Handover)
	d.step(0, "wait converged within 60s")
	at := calm
	for at < healed {
		node, verb := pick(d, lab.Nodes()...), pick(d, enabled...)
		d.step(at, "%s %s", verb, node)
		switch verb {
		case fault.Handover:
		case fault.Freeze:
			at += d.Between(1200*time.Millisecond, 4*time.Second) // longer than every detection time that is drawn
			d.step(at, "thaw %s", node)
		default:
			at += d.Between(100*time.Millisecond, 4*time.Second)
			d.step(at, "restore %s", node)
		}
		at += 500 * time.Millisecond
		d.step(at, "wait converged within 60s")
		at += d.Between(100*time.Millisecond, 6*time.Second)
	}
	at = max(at, healed)
	d.step(at, "wait converged within 60s")
	at += refresh
	d.step(at, "expect gap(probe) < 1s")
	d.step(at+3*time.Second, "end eventually converged within 30s")
}

// machine is the state of a node while a rough case is drawn.
type machine struct {
	name         string
	down, frozen bool
	ended        bool          // its first process has ended; the next one has a sound dataplane
	since        time.Duration // start or end of its latest fault
}

func (m *machine) runs() bool { return !m.down && !m.frozen }

// After these times a drawing relies on a node.
const (
	settling = time.Second     // after its start, to answer and send heartbeats
	alone    = 3 * time.Second // after its peer's end, to forward
)

// rough draws faults that may overlap.
func (d *drawing) rough() {
	enabled := d.enabled(fault.Crash, fault.Kill, fault.Stop, fault.Freeze, fault.Handover, fault.Cut)
	pace := d.Between(300*time.Millisecond, 6*time.Second)
	d.step(0, "wait masters == 1 within 30s")
	pair := [2]*machine{{name: lab.Nodes()[0]}, {name: lab.Nodes()[1]}}
	forgotten := false
	for at := calm; at < healed; at += d.Between(10*time.Millisecond, 2*pace) {
		side := d.Below(2)
		node, peer, verb := pair[side], pair[1-side], pick(d, enabled...)
		since := node.since
		node.since = at
		switch {
		case node.down:
			d.step(at, "restore %s", node.name)
			node.down = false
		case node.frozen && d.Chance(0.7):
			d.step(at, "thaw %s", node.name)
			node.frozen = false
		case len(d.cuts) > 0 && d.Chance(0.4):
			d.step(at, "heal")
			d.cuts, node.since = nil, since
		case verb == fault.Cut:
			node.since = since
			if cuts := d.severable(at, node, peer); len(cuts) > 0 {
				d.cut(at, pick(d, cuts...))
			}
		case node.frozen:
			node.since = since
		case verb == fault.Freeze:
			d.step(at, "freeze %s", node.name)
			node.frozen = true
		case verb == fault.Handover:
			node.since = since
			if at-since >= settling {
				d.interrupt(at, node, peer)
				d.step(at, "handover %s", node.name)
			}
		default:
			d.step(at, "%s %s", verb, node.name)
			node.down, node.ended = true, true
			forgotten = forgotten || len(d.cuts) > 0 || !peer.runs() || at-peer.since < settling
		}
	}
	if d.core.Chance(coreShare) {
		d.healCore(pair)
		return
	}
	at := d.heal(pair) + d.recovery()
	d.step(at, "expect gap(probe) < 1s")
	// Connects that fail before then may have started before the MASTER's refresh reached all hosts.
	if !d.bounded {
		d.step(at+connectTime, "expect connects_failed(new) <= %d", unlucky(forgotten))
	}
	d.step(at+8*time.Second, "end eventually %s within 30s", d.settled(pair))
}

// unlucky is how many connects may fail after the recovery. When a node goes down while its peer's
// table is incomplete, backends keep connections that no node knows any more, for up to two hours.
// A new connection that gets the SNAT port of one of them has its SYN answered by a challenge ACK
// (RFC 5961); it resets the old connection and succeeds with its next SYN, a second later. A
// connect that hits two of them exceeds its limit of three seconds. With thousands of ports one
// such failure is chance, two are a fault.
func unlucky(forgotten bool) int {
	if forgotten {
		return 1
	}
	return 0
}

// severable lists the cuts that are sure to drop packets: heartbeats of nodes that run, and service
// packets of a node that must be forwarding because its peer is down.
func (d *drawing) severable(at time.Duration, node, peer *machine) []string {
	var cuts []string
	if node.runs() && at-node.since >= settling {
		if !peer.down { // a host that is off receives nothing that could be dropped
			there := node.name + " -> " + peer.name
			cuts = append(cuts, there+" via clients", there+" via sync", there)
		}
		if d.tracks { // both nodes lose their probes
			cuts = append(cuts, node.name+" -> backends")
		}
		if d.gateway != "" {
			cuts = append(cuts, node.name+" -> "+d.gateway)
		}
		if peer.runs() && at-peer.since >= settling {
			both := node.name + " <-> " + peer.name
			cuts = append(cuts, both+" via clients", both+" via sync", both)
		}
		if peer.down && at-peer.since >= alone {
			cuts = append(cuts, "clients -> "+node.name, node.name+" -> backends")
		}
	}
	return cuts
}

// cut adds a cut.
func (d *drawing) cut(at time.Duration, what string) {
	d.step(at, "cut %s", what)
	d.cuts = append(d.cuts, what)
}

// heal ends the fault phase at the instant that it returns: both nodes run and nothing is cut.
func (d *drawing) heal(pair [2]*machine) (at time.Duration) {
	at = healed + 3*time.Second
	for _, node := range pair {
		if node.frozen {
			d.step(at, "thaw %s", node.name)
		}
		if node.down {
			d.step(at, "restore %s", node.name)
		}
	}
	if len(d.cuts) > 0 {
		d.step(at, "heal")
	}
	return at
}

// enabled draws which faults occur and their weights, 1 or 3.
func (d *drawing) enabled(verbs ...string) []string {
	var on []string
	for _, verb := range verbs {
		if d.Chance(0.5) {
			on = append(on, slices.Repeat([]string{verb}, pick(d, 1, 1, 3))...)
		}
	}
	if len(on) == 0 {
		on = append(on, pick(d, verbs...))
	}
	return on
}
