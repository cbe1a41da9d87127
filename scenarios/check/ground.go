package check

import (
	"slices"
	"strings"

	"baton/impl/clock"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// stretch is a time without a new fault, and the effect of the faults so far.
type stretch struct {
	window
	able   []string // the nodes that can serve
	parted silence
	// whole: a node that can serve has the complete table.
	whole bool
	// deaf are the nodes that receive no packet of their peer on any path.
	deaf []string
}

// findStretches splits the run at the faults and at each end of a node.
func (r *run) findStretches() []stretch {
	s, h := NewState(r.plan, r.meta.World), holders{}
	var found []stretch
	calm := r.calmFrom()
	now := r.stretch(s, h, r.from)
	for i := range r.events {
		e := &r.events[i]
		s.Apply(e)
		h.follow(s)
		if e.Fault == nil && e.Died == nil && e.At < calm {
			continue
		}
		if e.At >= calm { // and the chaos has ended
			calm = clock.Never
		}
		if now.to = e.At; now.from < now.to {
			found = append(found, now)
		}
		now = r.stretch(s, h, e.At)
	}
	now.to = max(now.from, r.to)
	return append(found, now)
}

// stretch returns the stretch that begins in a state.
func (r *run) stretch(s *State, h holders, from clock.Instant) stretch {
	t := stretch{window: window{from: from}}
	t.parted = r.parted(s, from)
	for _, name := range lab.Nodes() {
		if r.canServe(s, name) {
			t.able = append(t.able, name)
			t.whole = t.whole || h[name]
		}
		if r.deaf(s, name) {
			t.deaf = append(t.deaf, name)
		}
	}
	return t
}

// canServe reports whether a node runs and reaches what it tracks.
func (r *run) canServe(s *State, name string) bool {
	n := s.Nodes[name]
	if !n.Up || n.Frozen {
		return false
	}
	hosts := r.plan.Targets(r.meta.World, name)
	if gateway := r.plan.Gateway(r.meta.World, name); gateway != "" {
		hosts = append(hosts, gateway)
	}
	for _, host := range hosts {
		if r.silenced(s, name, host, "") || r.silenced(s, host, name, "") {
			return false
		}
	}
	return true
}

// deaf reports whether no packet of its peer reaches a node on any path between them.
func (r *run) deaf(s *State, name string) bool {
	return !slices.ContainsFunc(r.paths(), func(path string) bool { return !r.silenced(s, lab.Peer(name), name, path) })
}

// silence is a time in which both directions of every path between the nodes may be silent.
type silence struct {
	why string // the cuts or losses that cause it; "" if there is none
	// joined is when it ends without another fault, Never if it does not. Of two nodes that both serve
	// by then, one has yielded by settled.
	joined, settled clock.Instant
}

// ends says that what was cut or lost surely works again from an instant on.
func (s *silence) ends(joined, settled clock.Instant) {
	s.joined, s.settled = min(s.joined, joined), min(s.settled, settled)
}

// hasStream reports whether the node has had a sync stream since it started, and has not reported its
// loss.
func (n *Node) hasStream() bool {
	return n.Sync.Phase != "" && n.Sync.Phase != "idle" && n.Sync.Phase != "lost"
}

// parted returns the silence at an instant. There is none if at least one direction of one path
// surely works, or if an arbiter decides. A path counts as silent if its heartbeats are lost, and
// the sync stream if either of its directions is. A healed direction stays silent until the session's
// next packet, which is sent at the slow rate; the node that is not heard then gives the sessions time
// to come Up before it yields. A healed stream stays silent until a node has tried it again, and so does
// one that the freeze or the end of a node has closed. A stream that the plan breaks at random may be
// silent at any time.
func (r *run) parted(s *State, at clock.Instant) silence {
	if r.plan.Validity(r.meta.World) > 0 && !r.plan.KeepsServing(r.meta.World) {
		return silence{} // the arbiter decides
	}
	parted := silence{joined: clock.Never, settled: clock.Never}
	var whys []string
	streamLost, redialled := r.breaksStream(at), clock.Instant(0)
	for _, path := range r.paths() {
		for _, from := range lab.Nodes() {
			if path == lab.Sync {
				streamLost = streamLost || r.silencedOf(lab.Stream, s, from, lab.Peer(from), path) || r.loses(from, path, at)
				redialled = max(redialled, s.afterHeal(lab.Stream, from, path, plan.Patience))
			}
			heard := s.afterHeal(lab.BFD, from, path, plan.SlowInterval+r.underway()+r.plan.Detect(r.meta.World))
			switch {
			case r.silencedOf(lab.BFD, s, from, lab.Peer(from), path):
			case r.loses(from, path, at):
				whys = append(whys, "loss of what "+from+" sends on "+path)
			case at < heard:
				parted.ends(heard, heard.Add(plan.HearLimit))
				whys = append(whys, "what "+from+" sends on "+path+" was cut until just before")
			default:
				return silence{}
			}
		}
	}
	reopened, closer := s.streamReopened()
	switch {
	case streamLost:
	case at < redialled:
		parted.ends(redialled, redialled)
		whys = append(whys, "the stream was cut until just before")
	case at < reopened:
		parted.ends(reopened, reopened)
		whys = append(whys, closer+" has lost the stream and runs again only since just before")
	default:
		return silence{}
	}
	var cuts []string
	for _, c := range s.Cuts {
		cuts = append(cuts, "cut "+c.String())
	}
	parted.why = strings.Join(append(cuts, whys...), ", ")
	return parted
}

// streamReopened returns by when a stream that a node's freeze or end has closed surely works again,
// and that node.
func (s *State) streamReopened() (at clock.Instant, node string) {
	for _, name := range lab.Nodes() {
		n := s.Nodes[name]
		if by := n.Resumed.Add(plan.Patience); !n.hasStream() && n.Resumed > 0 && by > at {
			at, node = by, name
		}
	}
	return at, node
}

// loses reports whether the plan loses packets of a node on a link at an instant.
func (r *run) loses(from, link string, at clock.Instant) bool {
	i := r.plan.Impairment(r.meta.World, link, from)
	return (i.Loss > 0 || i.Burst.Begin > 0 || i.Corrupt > 0) && r.chaotic(at)
}

// breaksStream reports whether the plan breaks the sync stream at random at an instant.
func (r *run) breaksStream(at clock.Instant) bool {
	return r.plan.ChaosTime(r.meta.World, "stream.break") > 0 && r.chaotic(at)
}

// chaotic reports whether the plan's chaos has not ended by an instant.
func (r *run) chaotic(at clock.Instant) bool {
	until := r.plan.ChaosTime(r.meta.World, "until")
	return until == 0 || at < r.began().Add(until)
}

// paths returns the links between the nodes, which carry the heartbeats.
func (r *run) paths() []string {
	return slices.DeleteFunc(r.plan.Topo.Lab().Joining(lab.Nodes()[0], lab.Nodes()[1]), func(link string) bool { return link == lab.Backends })
}

// silenced reports whether no packet of from reaches to on a link, or on any link if it is "".
func (r *run) silenced(s *State, from, to, link string) bool {
	return r.silencedOf("", s, from, to, link)
}

// silencedOf is silenced for one kind of packets.
func (r *run) silencedOf(kind string, s *State, from, to, link string) bool {
	rules := r.plan.Topo.Lab().Rules(from, to, link)
	return len(rules) > 0 && !slices.ContainsFunc(rules, func(rule lab.Rule) bool {
		rule.Only = kind
		return !s.covered(rule)
	})
}

// holders has the nodes with the complete table: the first MASTER, and each node in sync with one of
// them. A MASTER with an incomplete table cannot complete its peer's. Neither can one that a fault
// keeps from reading its dataplane, while the peer's gate InSync is closed.
type holders map[string]bool

func (h holders) follow(s *State) {
	var master *Node
	for _, name := range lab.Nodes() {
		n := s.Nodes[name]
		if !n.Up {
			h[name] = false
		}
		if n.Up && !n.Frozen && (n.Role == roleMaster || n.Role == roleYielding) {
			master = n
		}
	}
	if master == nil {
		return
	}
	if _, formed := h[first]; !formed {
		h[first], h[master.Name] = true, true
	}
	for _, name := range lab.Nodes() {
		if n := s.Nodes[name]; n != master && n.Up && h[master.Name] {
			warned := master.Unread && n.Gate != nil && !n.Gate.Open
			h[name] = n.InSync && !n.Silent && !warned // a frozen node misses changes
		}
	}
}

// first is the key that is set once the run has had its first MASTER.
const first = ""

// calmFrom is the instant from which no chaos keeps a node from serving.
func (r *run) calmFrom() clock.Instant {
	after, ever := r.plan.CalmFrom(r.meta.World)
	if !ever {
		return clock.Never
	}
	if after == 0 {
		return r.from
	}
	return r.began().Add(after)
}

// began is when the run started: the instant of its first event, 0 in an empty trace.
func (r *run) began() clock.Instant {
	if len(r.events) == 0 {
		return 0
	}
	return r.events[0].At
}

// clip returns the part of w between from and to, false if there is none.
func (w window) clip(from, to clock.Instant) (window, bool) {
	w = window{max(w.from, from), min(w.to, to)}
	return w, w.from < w.to
}
