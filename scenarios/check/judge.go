package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/capability"
	"baton/scenarios/lab"
	"baton/scenarios/metric"
	"baton/scenarios/plan"
)

// Judge returns what the events of one run of the plan prove:
//
//   - FAIL if a check failed and neither a stall of the host nor a fault without a receipt
//     explains it (see excusedByStall). A stall explains a missed time if it is at least as
//     long as the claim's allowance or as the time by which it was missed, whichever is less.
//     Several stalls explain it if they add up to the missed time, or if one cost a MASTER its
//     role (see unseated). A stall explains any other failed claim if it is longer than the
//     plan tolerates, and also later failures of a subject without a lease (see
//     excusedWithoutLease). A generator that was behind explains its own measurements
//     likewise;
//   - INCONCLUSIVE if a check could not be judged, failed with such an explanation, or passed
//     in a window with a stall that is longer than the plan tolerates;
//   - SKIP if the subject reports nothing that the scenario's claims need;
//   - PASS otherwise. This requires answered traffic and a complete trace.
//
// A control passes if exactly the checks that it names fail.
func Judge(p *plan.Plan, events []trace.Event) Verdict {
	p = p.Drawn(seedOf(events))
	r := newRun(p, events)
	findings := slices.Concat(r.implicit(), r.always(), r.implied(), r.steps())
	v := Verdict{Scenario: p.Name, World: r.meta.World, SUT: r.meta.SUT, Seed: r.meta.Seed, NotExecuted: slices.Concat(p.NotExecuted(r.meta.World), r.unmet()), Sometimes: r.sometimes(), Checks: []Check{}, Metrics: r.metrics()}
	control := p.IsControl(r.meta.World)
	for i := range findings {
		f := &findings[i]
		*f = r.doubted(*f)
		f.Control = control && slices.Contains(p.Control, f.Name)
		f.Failed = f.firstFailed()
		v.Checks = append(v.Checks, f.Check)
	}
	if why := Unjudgeable(p, r.meta.World, r.meta.Lacks); why != "" {
		v.Verdict, v.Reasons = Skip, []string{why}
	} else if control {
		v.Verdict, v.Reasons = controlVerdict(p.Control, findings)
	} else {
		v.Verdict, v.Reasons = verdict(findings)
	}
	return v
}

// seedOf is the seed of the run, by which its plan was drawn.
func seedOf(events []trace.Event) uint64 {
	for _, e := range events {
		if e.Meta != nil {
			return e.Meta.Seed
		}
	}
	return 0
}

// doubted makes a finding INCONCLUSIVE if a stall, a fault without a receipt, or a capability
// that the subject never showed leaves it without proof.
func (r *run) doubted(f finding) finding {
	switch {
	case f.window == (window{}) || f.Verdict == Inconclusive || f.Verdict == NotJudged:
		return f
	case f.Verdict == Pass:
		if why := r.onlyClaimed(f.Name); why != "" {
			return f.doubtful(why)
		}
		// A stall in the waits at 0s only makes them longer: nothing is measured yet.
		for _, s := range r.stalls {
			if s.took > r.plan.Tolerate && s.to > r.trafficBegin && s.overlaps(f.window) {
				return f.doubtful(fmt.Sprintf("%s, longer than the tolerated %s", r.stalled(s), r.plan.Tolerate))
			}
		}
		return f
	case excusedWithoutLease[f.Name] && slices.Contains(r.meta.Lacks, capability.Lease):
		return r.afterStall(f)
	case lostWithTable[f.Name]:
		return r.afterLostTable(f)
	case !excusedByStall[f.Name]:
		return f
	}
	stalls := slices.Concat(r.stalls, r.starts)
	if measuredByTraffic[f.Name] {
		stalls = slices.Concat(stalls, r.lags)
	}
	evidence := slices.Concat(f.evidence, r.moves(f))
	for _, s := range stalls {
		if f.enough == 0 && s.took <= r.plan.Tolerate || s.took < f.enough {
			continue
		}
		// A stall can cause a failure up to two detection times later: one until the peer
		// detects the missing heartbeat, one until its answer.
		after := window{s.from, s.to.Add(2 * r.plan.Detect(r.meta.World))}
		if slices.ContainsFunc(evidence, after.overlaps) {
			return f.doubtful(r.stalled(s))
		}
	}
	if took := stoodStill(r.stalls, f.evidence); f.missed > 0 && took >= f.missed {
		return f.doubtful(fmt.Sprintf("the host stood still for %s in all", short(took)))
	}
	for _, u := range r.unseated() {
		if slices.ContainsFunc(evidence, u.window.overlaps) {
			return f.doubtful(fmt.Sprintf("%s, which cost %s its role", r.stalled(u.stall), u.node))
		}
	}
	for _, u := range r.unproven {
		if u.at <= f.window.to {
			return f.doubtful(u.why)
		}
	}
	return f
}

// moves lists when each node took the role that it had when a claim about roles failed. That may be
// before the claim's window, and a stall then explains the failure too.
func (r *run) moves(f finding) (found []window) {
	if f.Name != plan.CheckRole {
		return nil
	}
	for _, w := range f.evidence {
		last := map[string]clock.Instant{}
		for _, e := range r.events {
			if e.Role != nil && e.At <= w.from {
				last[e.Node] = e.At
			}
		}
		for _, node := range lab.Nodes() {
			if at, moved := last[node]; moved {
				found = append(found, point(at))
			}
		}
	}
	return found
}

// afterStall makes a failure of a subject without a lease INCONCLUSIVE if it came after a stall
// that is longer than the plan tolerates. It does not matter how long after, because a table stays
// incomplete.
func (r *run) afterStall(f finding) finding {
	failed := f.firstFailed()
	for _, s := range r.stalls {
		if failed != nil && s.took > r.plan.Tolerate && s.to > r.trafficBegin && s.from <= failed.To {
			return f.doubtful(fmt.Sprintf("%s, longer than the tolerated %s", r.stalled(s), r.plan.Tolerate))
		}
	}
	return f
}

// firstFailed returns the earliest failure, nil for a PASS or a failure without a time.
func (f finding) firstFailed() *Span {
	if len(f.evidence) == 0 {
		return nil
	}
	first := slices.MinFunc(f.evidence, func(a, b window) int { return cmp.Compare(a.from, b.from) })
	return &Span{first.from, first.to}
}

// FailedAt orders checks by when they first failed. Those without a time come last. A load that was not
// offered comes first, because nothing else that was measured counts then.
func (c Check) FailedAt() clock.Instant {
	switch {
	case c.Name == plan.CheckLoad:
		return math.MinInt64
	case c.Failed == nil:
		return math.MaxInt64
	}
	return c.Failed.From
}

// toldAt orders reasons by FailedAt, with two exceptions. A node that ended by itself comes first. A claim
// that failed in its whole window, such as a wait, counts from the window's end.
func (f finding) toldAt() clock.Instant {
	switch {
	case f.Name == plan.CheckDied:
		return math.MinInt64
	case f.Failed != nil && *f.Failed == Span{f.window.from, f.window.to}:
		return f.window.to
	}
	return f.FailedAt()
}

func (r *run) stalled(s stall) string {
	return fmt.Sprintf("%s for %s at %s", s.what.Of(), short(s.took), r.at(s.from))
}

// stoodStill sums the stalls in the windows. Stalls that several threads saw overlap, and count once.
func stoodStill(all []stall, windows []window) (took time.Duration) {
	stalls := slices.Clone(all)
	slices.SortFunc(stalls, func(a, b stall) int { return cmp.Compare(a.from, b.from) })
	for _, w := range windows {
		at := w.from
		for _, s := range stalls {
			if part, any := w.clip(max(s.from, at), s.to); any {
				took += part.to.Sub(part.from)
				at = part.to
			}
		}
	}
	return took
}

// late notes by how much a time was missed, and the claim's allowance.
func (f finding) late(missed, allowed time.Duration) finding {
	f.missed, f.enough = missed, max(1, min(missed, allowed))
	return f
}

func (f finding) doubtful(doubt string) finding {
	f.doubt = doubt
	return f.unjudged(f.Detail + "; but " + doubt)
}

// verdict judges an ordinary scenario. The claim that failed first is listed first: later failures
// are often its consequence.
func verdict(findings []finding) (Outcome, []string) {
	failed := []string{}
	for _, f := range slices.SortedStableFunc(slices.Values(findings), func(a, b finding) int { return cmp.Compare(a.toldAt(), b.toldAt()) }) {
		if f.Verdict == Fail {
			failed = append(failed, f.Name+": "+f.Detail)
		}
	}
	open := undecided(findings)
	switch {
	case len(failed) > 0:
		return Fail, failed
	case len(open) > 0:
		return Inconclusive, open
	}
	return Pass, []string{}
}

// undecided says why findings are INCONCLUSIVE, grouped by reason.
func undecided(findings []finding) []string {
	var reasons, doubts []string
	names := map[string][]string{}
	for _, f := range findings {
		switch {
		case f.Verdict != Inconclusive:
		case f.doubt == "":
			reasons = append(reasons, f.Name+": "+f.Detail)
		default:
			if names[f.doubt] == nil {
				doubts = append(doubts, f.doubt)
			}
			if !slices.Contains(names[f.doubt], f.Name) {
				names[f.doubt] = append(names[f.doubt], f.Name)
			}
		}
	}
	for _, doubt := range doubts {
		reasons = append(reasons, fmt.Sprintf("%s: this run proves nothing about %s", doubt, strings.Join(names[doubt], ", ")))
	}
	return reasons
}

// controlVerdict judges a scenario that reproduces a bug: exactly the named checks must fail.
func controlVerdict(named []string, findings []finding) (Outcome, []string) {
	var caught, missed, others []string
	for _, name := range named {
		if i := slices.IndexFunc(findings, func(f finding) bool { return f.Name == name && f.Verdict == Fail }); i >= 0 {
			caught = append(caught, fmt.Sprintf("control: caught by %s: %s", name, findings[i].Detail))
		} else {
			missed = append(missed, name)
		}
	}
	for _, f := range findings {
		if f.Verdict == Fail && !f.Control {
			others = append(others, fmt.Sprintf("control: %s failed too: %s", f.Name, f.Detail))
		}
	}
	open := undecided(slices.DeleteFunc(slices.Clone(findings), func(f finding) bool {
		return f.Control && !slices.Contains(missed, f.Name) // another finding of this check failed
	}))
	switch {
	case len(others) > 0:
		return Fail, slices.Concat(others, caught)
	case len(open) > 0:
		return Inconclusive, slices.Concat(open, caught)
	case len(caught) == 0:
		return Fail, []string{"control not caught: " + strings.Join(named, ", ") + " did not fail"}
	case len(missed) > 0:
		return Fail, slices.Concat([]string{"control not caught by " + strings.Join(missed, ", ")}, caught)
	}
	return Pass, caught
}

// metrics measures everything over the run.
func (r *run) metrics() Metrics {
	m := Metrics{}
	for _, metric := range metric.All() {
		samples := r.samples(metric.Name, "", r.window)
		for i, s := range samples {
			if i == 0 || s.value > m[metric.Name] {
				m[metric.Name] = s.value
			}
		}
	}
	if totals := r.totals("sessions", ""); totals != nil {
		m["sessions"] = 0
		for _, t := range totals { // in any order: a sum
			m["sessions"] += float64(t.Opened)
		}
	}
	return m
}
