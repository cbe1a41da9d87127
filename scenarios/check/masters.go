package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

// tenure is a time in which a node was Master, or allowed to forward.
type tenure struct {
	window
	node string
}

// masters samples the number of Masters, once for each stretch in which it did not change.
func (r *run) masters(w window) []sample { return r.overlap(r.mastership, w, "Master") }

// findMastership lists the times in which nodes had the role, by their reports. A node that is
// crashed, killed, stopped or frozen cannot report that its role ended. Its time ends with its
// last sign of life before the fault's receipt, or with the fault's begin, whichever is later. The
// time of a node that ends by itself ends with its last sign of life.
// The receipt itself does not count: on a busy host it may come after the peer has rightly
// taken over.
//
// After a thaw the time continues only with the node's first report, normally that it gives up the
// role. A frozen process decides nothing; its dataplane is judged by its lease (see forwarders).
//
// Several events may have the same instant: a node that is killed and restored in one instant has
// lost its role between them.
//
// A polled role counts only while the node surely had it: from the first poll that returned the
// role to the last one.
func (r *run) findMastership() []tenure {
	var found []tenure
	since, begun, alive, ended, left := instants{}, instants{}, instants{}, instants{}, instants{}
	s := NewState(r.plan, r.meta.World)
	for i := range r.events {
		e := &r.events[i]
		s.Apply(e)
		if own(e.Kind) {
			alive[e.Node] = e.At
		}
		if e.Died != nil {
			ended[e.Node] = alive[e.Node]
		}
		if e.Role != nil && e.Role.To != roleMaster {
			left[e.Node] = e.At.Add(-time.Duration(e.Role.Late))
		}
		if f := e.Fault; f != nil {
			for _, node := range f.Hosts {
				if f.Phase == "begin" {
					begun[node] = e.At
				} else {
					ended[node] = max(begun[node], alive[node])
				}
			}
		}
		for _, name := range lab.Nodes() {
			n := s.Nodes[name]
			is := n.Up && n.Role == roleMaster && !n.Silent
			from, was := since[name]
			switch {
			case is && !was:
				since[name] = e.At
				delete(left, name)
			case was && (!n.Up || n.Frozen):
				found = append(found, tenure{window{from, ended[name]}, name})
				delete(since, name)
			case !is && was:
				to, told := left[name]
				if !told { // restored without a receipt that it had ended
					to = e.At
				}
				found = append(found, tenure{window{from, max(from, to)}, name})
				delete(since, name)
			}
		}
	}
	for _, name := range lab.Nodes() {
		if from, ok := since[name]; ok {
			found = append(found, tenure{window{from, s.Now}, name})
		}
	}
	return found
}

type instants map[string]clock.Instant

// turn is a tenure of a node that begins or ends: one more or one less.
type turn struct {
	node string
	more int
}

// overlap samples how many tenures cover each stretch of the window. Tenures that only touch do
// not overlap.
func (r *run) overlap(tenures []tenure, w window, what string) []sample {
	edges := []clock.Instant{w.from, w.to}
	turns := map[clock.Instant][]turn{}
	for _, t := range tenures {
		if from, to := max(t.from, w.from), min(t.to, w.to); from < to {
			turns[from] = append(turns[from], turn{t.node, 1})
			turns[to] = append(turns[to], turn{t.node, -1})
		}
		for _, at := range []clock.Instant{t.from, t.to} {
			if at > w.from && at < w.to {
				edges = append(edges, at)
			}
		}
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	var samples []sample
	covering := map[string]int{} // by node: its tenures that cover the stretch
	for i := range len(edges) - 1 {
		stretch := window{edges[i], edges[i+1]}
		for _, t := range turns[stretch.from] {
			if covering[t.node] += t.more; covering[t.node] == 0 {
				delete(covering, t.node)
			}
		}
		who := slices.Sorted(maps.Keys(covering))
		s := sample{window: stretch, value: float64(len(who))}
		if len(who) > 0 {
			s.what = strings.Join(who, " and ")
		} else {
			s.what = "nobody"
		}
		s.what += fmt.Sprintf(" %s %s, %s", what, r.lasting(stretch), r.since(stretch.from))
		samples = append(samples, s)
	}
	return samples
}

// roleChanges counts how often nodes became Master in the window.
func (r *run) roleChanges(w window) []sample {
	var whats []string
	var when []window
	for _, e := range r.others {
		if w.has(e.At) && becameMaster(e) {
			whats = append(whats, fmt.Sprintf("%s at %s (%s)", e.Node, r.at(e.At), e.Role.Reason))
			when = append(when, point(e.At))
		}
	}
	return one(w, float64(len(whats)), some(whats, shown), when...)
}

func becameMaster(e *trace.Event) bool {
	return e.Role != nil && e.Role.To == roleMaster && e.Role.From != roleMaster
}

func byTime(a, b tenure) int {
	return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.node, b.node))
}

// lasting says when a stretch of time was, and how long it was if its begin and its end read the same.
func (r *run) lasting(stretch window) string {
	from, to := r.at(stretch.from), r.at(stretch.to)
	if from == to {
		return fmt.Sprintf("for %s at %s", stretch.to.Sub(stretch.from).Round(time.Microsecond), from)
	}
	return fmt.Sprintf("from %s to %s", from, to)
}
