package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// tenure is a stretch in which a node was something: Master, or allowed to forward.
type tenure struct {
	window
	node string
}

// masters samples how many nodes had the Master role, over each stretch of the
// window in which the number did not change.
func (r *run) masters(w window) []sample { return r.overlap(r.mastership(), w, "Master") }

// mastership lists the stretches in which nodes had the role, from what they
// reported. A node's stretch ends with the receipt of its crash, kill or stop: it
// cannot report its own death. At a freeze it pauses until the node's first report
// after the thaw: a stopped process decides nothing, and what its dataplane does
// meanwhile is judged by its lease (see forwarders). Its first act must then be to
// give up the role; if it reports anything else as MASTER, the stretch goes on.
func (r *run) mastership() []tenure {
	var found []tenure
	since := map[string]clock.Instant{}
	s := NewState(r.plan, r.meta.World)
	for i, e := range r.events {
		s.Apply(e)
		if i+1 < len(r.events) && r.events[i+1].At == e.At {
			continue // what happens at one instant has no length
		}
		for _, name := range plan.Nodes() {
			n := s.Nodes[name]
			is := n.Up && n.Role == roleMaster && !n.Frozen && !n.Silent
			from, was := since[name]
			switch {
			case is && !was:
				since[name] = e.At
			case !is && was:
				found = append(found, tenure{window{from, e.At}, name})
				delete(since, name)
			}
		}
	}
	for _, name := range plan.Nodes() {
		if from, ok := since[name]; ok {
			found = append(found, tenure{window{from, max(r.to, s.Now)}, name})
		}
	}
	return found
}

// overlap samples how many tenures cover each stretch of the window. Tenures that
// only touch do not overlap.
func (r *run) overlap(tenures []tenure, w window, what string) []sample {
	edges := []clock.Instant{w.from, w.to}
	for _, t := range tenures {
		for _, at := range []clock.Instant{t.from, t.to} {
			if at > w.from && at < w.to {
				edges = append(edges, at)
			}
		}
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	var samples []sample
	for i := range len(edges) - 1 {
		stretch := window{edges[i], edges[i+1]}
		var who []string
		for _, t := range tenures {
			if t.from <= stretch.from && t.to >= stretch.to && !slices.Contains(who, t.node) {
				who = append(who, t.node)
			}
		}
		slices.Sort(who)
		s := sample{window: stretch, value: float64(len(who))}
		if len(who) > 0 {
			s.what = fmt.Sprintf("%s %s from %s to %s, after %s", strings.Join(who, " and "), what, r.at(stretch.from),
				r.at(stretch.to), r.lastFault(stretch.from))
		} else {
			s.what = fmt.Sprintf("nobody %s from %s to %s", what, r.at(stretch.from), r.at(stretch.to))
		}
		samples = append(samples, s)
	}
	return samples
}

// roleChanges counts how often a node became Master in the window.
func (r *run) roleChanges(w window) []sample {
	var whats []string
	var when []window
	for _, e := range r.events {
		if w.has(e.At) && becameMaster(e) {
			whats = append(whats, fmt.Sprintf("%s at %s (%s)", e.Node, r.at(e.At), e.Role.Reason))
			when = append(when, point(e.At))
		}
	}
	return one(w, float64(len(whats)), some(whats, shown), when...)
}

func becameMaster(e trace.Event) bool {
	return e.Role != nil && e.Role.To == roleMaster && e.Role.From != roleMaster
}

func byTime(a, b tenure) int {
	return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.node, b.node))
}
