package netns

import (
	"fmt"
	"slices"
	"strings"

	"baton/impl/ha"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// nodeKinds are the event kinds that a node may write about itself.
var nodeKinds = []trace.Kind{trace.KindRole, trace.KindGate, trace.KindBFD, trace.KindSync, trace.KindLease, trace.KindAnnounce,
	trace.KindReplica, trace.KindLoop, trace.KindRefused, trace.KindLeak, trace.KindMissed, trace.KindNote}

// roleWords are the roles of nodes.
var roleWords = func() (words []string) {
	for _, r := range ha.Roles() {
		words = append(words, r.String())
	}
	return words
}()

// recordFrom records the events that a node writes to its trace. Others are dropped with a note.
func (w *World) recordFrom(node string) func(trace.Event) {
	return func(e trace.Event) {
		if why := refusal(node, e); why != "" {
			e = trace.Event{At: hostclock.Now(), Node: node, Kind: trace.KindNote,
				Note: fmt.Sprintf("dropped an event from %s: %s", node, why)}
		}
		if e.At <= 0 {
			e.At = hostclock.Now()
		}
		w.record(e)
	}
}

// refusal says why a node may not write an event; "" if it may.
func refusal(node string, e trace.Event) string {
	switch {
	case e.Kind == "":
		return "it has no kind"
	case !slices.Contains(nodeKinds, e.Kind):
		return fmt.Sprintf("a node may not write events of kind %.20q", e.Kind)
	case e.Node != node:
		return fmt.Sprintf("it is about %.20q: a node may only write events about itself", e.Node)
	case e.Kind != trace.KindRole:
		return ""
	case e.Role == nil:
		return `an event of kind "role" has its fields in an object role`
	}
	if !slices.Contains(roleWords, e.Role.To) {
		return unknownRole("to", e.Role.To)
	}
	if e.Role.From != "" && !slices.Contains(roleWords, e.Role.From) {
		return unknownRole("from", e.Role.From)
	}
	return ""
}

func unknownRole(field, role string) string {
	return fmt.Sprintf("role.%s %.20q: one of %s", field, role, strings.Join(roleWords, ", "))
}
