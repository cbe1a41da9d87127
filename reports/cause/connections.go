package cause

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	verbs "baton/scenarios/fault"
	"baton/scenarios/lab"
)

// ended describes a client or backend that ended connections because its process ended, or that reset them because it had
// come back without them.
func ended(events []trace.Event, harm Harm) (Cause, bool) {
	for i, e := range events {
		if e.At < harm.From || e.At > harm.To.Add(grace) {
			continue
		}
		switch {
		case e.RST != nil:
			if found, ok := hostEnded(events[:i], cmp.Or(e.RST.Origin, e.RST.Sender)); ok {
				return found, true
			}
		case e.Traffic != nil && e.Traffic.Event == trace.TrafficLost:
			host := e.Traffic.Backend
			if f, began := lastFault(events[:i], e.At); host == "" && f != nil && len(f.Hosts) == 1 && e.At.Sub(began) < promptly {
				host = f.Hosts[0]
			}
			if found, ok := hostEnded(events[:i], host); ok {
				return found, true
			}
		}
	}
	return Cause{}, false
}

// promptly is how long the end of a host's process takes to end its connections at most. The trace does not name the
// backend of every flow.
const promptly = 100 * time.Millisecond

// hostEnded describes a client or backend whose process has ended, or was started again since.
func hostEnded(events []trace.Event, host string) (Cause, bool) {
	var last trace.Event
	for _, e := range events {
		if f := e.Fault; f != nil && f.Phase == "begin" && slices.Contains(f.Hosts, host) && (verbs.Ends(f.Verb) || verbs.Undoes(f.Verb)) {
			last = e
		}
	}
	switch {
	case last.Fault == nil || lab.IsNode(host):
		return Cause{}, false
	case verbs.Ends(last.Fault.Verb):
		return Cause{last.At, host, fmt.Sprintf("%s ended its connections", last.Fault.What())}, !verbs.Unpowers(last.Fault.Verb)
	}
	gone := undone(events, last.Fault, last.At)
	if gone == nil || !verbs.Ends(gone.Verb) {
		return Cause{}, false
	}
	return Cause{last.At, host, fmt.Sprintf("%s came back after %s without its connections, and reset their segments", host, gone.What())}, true
}

// bothEnded returns the faults by which both nodes lost their tables before an instant: the process of one ended while the
// other was down, or had no table yet. It is nil if a node kept its table.
func bothEnded(events []trace.Event, before clock.Instant) []*trace.Fault {
	down := map[string]*trace.Fault{} // by node: the fault that ended its process; no entry once it has a table again
	back := map[string]bool{}         // by node: it was started again since
	var both []*trace.Fault
	for _, e := range events {
		f := e.Fault
		switch {
		case e.At > before:
			return both
		case e.Replica != nil && e.Replica.Entries > 0, e.Sync != nil && e.Sync.Entries > 0:
			if back[e.Node] { // a node that stops still hands its table over
				delete(down, e.Node)
			}
			continue
		case f == nil || f.Phase != "begin":
			continue
		}
		for _, host := range f.Hosts {
			switch {
			case !lab.IsNode(host):
			case verbs.Ends(f.Verb):
				down[host], back[host] = f, false
			case down[host] != nil && verbs.UndoOf(down[host].Verb) == f.Verb:
				back[host] = true
			}
		}
		if len(down) == len(lab.Nodes()) {
			both = nil
			for _, node := range lab.Nodes() {
				if both = append(both, down[node]); len(both) == 2 && both[0] == both[1] {
					both = both[:1]
				}
			}
			slices.SortStableFunc(both, func(a, b *trace.Fault) int { return cmp.Compare(a.ID, b.ID) })
		}
	}
	return both
}

// moved describes a node without the flows of its peer that became MASTER last and gave them to other backends.
func moved(events []trace.Event, harm Harm) (Cause, bool) {
	p, _ := stateAt(events, harm.From)
	m := p.master()
	if m == nil || m.synced || m.phase == "" || m.since > harm.From {
		return Cause{}, false
	}
	peer := p.peerOf(m.name)
	if peer == nil || !slices.ContainsFunc(events, func(e trace.Event) bool {
		return e.Node == peer.name && e.Role != nil && e.Role.To == "Master" && e.At < m.since
	}) {
		return Cause{}, false
	}
	return Cause{m.since, m.name, fmt.Sprintf("%s became MASTER out of sync%s, and gave flows of %s to other backends", m.name, unlinked(events, m.claimed), peer.name)}, true
}
