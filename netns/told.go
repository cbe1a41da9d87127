package netns

import (
	"fmt"
	"slices"

	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// tellable are the kinds of events that a node may tell of itself.
var tellable = []trace.Kind{trace.KindRole, trace.KindGate, trace.KindBFD, trace.KindSync, trace.KindLease, trace.KindAnnounce,
	trace.KindReplica, trace.KindLoop, trace.KindLeak, trace.KindMissed, trace.KindNote}

// told records what a node says on its descriptor. It speaks of itself alone, and a
// fault, say, is nothing that it could tell.
func (w *World) told(node string) func(trace.Event) {
	return func(e trace.Event) {
		if !slices.Contains(tellable, e.Kind) || e.Node != node {
			e = trace.Event{At: hostclock.Now(), Node: node, Kind: trace.KindNote,
				Note: fmt.Sprintf("%s told an event of kind %.20q of %.20q, which it cannot know: dropped", node, e.Kind, e.Node)}
		}
		if e.At <= 0 {
			e.At = hostclock.Now()
		}
		w.record(e)
	}
}
