package netns

import (
	"fmt"
	"slices"

	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// nodeKinds are the event kinds that a node may write about itself.
var nodeKinds = []trace.Kind{trace.KindRole, trace.KindGate, trace.KindBFD, trace.KindSync, trace.KindLease, trace.KindAnnounce,
	trace.KindReplica, trace.KindLoop, trace.KindRefused, trace.KindLeak, trace.KindMissed, trace.KindNote}

// recordFrom records the events that a node writes to its trace. Events of other nodes or
// other kinds, such as faults, are dropped with a note.
func (w *World) recordFrom(node string) func(trace.Event) {
	return func(e trace.Event) {
		if !slices.Contains(nodeKinds, e.Kind) || e.Node != node {
			e = trace.Event{At: hostclock.Now(), Node: node, Kind: trace.KindNote,
				Note: fmt.Sprintf("dropped an event from %s of kind %.20q about %.20q: a node may only write events about itself", node, e.Kind, e.Node)}
		}
		if e.At <= 0 {
			e.At = hostclock.Now()
		}
		w.record(e)
	}
}
