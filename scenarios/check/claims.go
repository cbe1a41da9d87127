package check

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/scenarios/plan"
)

// always judges the conditions that must hold from the first step to the end.
func (r *run) always() []finding {
	var found []finding
	for _, a := range r.plan.Always {
		if r.in(a.Guard) {
			found = append(found, r.over(a.Cond, r.window, a.Pos.Line))
		}
	}
	return found
}

// implied judges the claims that a control names but does not state: "control rst" claims
// rst == 0, and that this fails.
func (r *run) implied() []finding {
	stated := map[string]bool{}
	for _, c := range r.plan.Conditions(r.meta.World) {
		if c.Compare == nil || c.Compare.Arg == "" { // a claim about one line of traffic says nothing about the others
			stated[c.Check()] = true
		}
	}
	var found []finding
	if !r.plan.IsControl(r.meta.World) {
		return nil
	}
	for _, name := range r.plan.Control {
		c, ok := plan.Implied(name)
		switch {
		case !ok || stated[name]:
		case plan.IsState(c.Named):
			found = append(found, r.atEnd(c, r.window, r.plan.ControlPos.Line))
		default:
			found = append(found, r.over(c, r.window, r.plan.ControlPos.Line))
		}
	}
	return found
}

// steps judges waits and expectations in the order of the timeline.
func (r *run) steps() []finding {
	var found []finding
	for i, s := range r.plan.Steps {
		switch {
		case !r.in(s.Guard):
		case s.Wait != nil:
			found = append(found, r.wait(i, s))
		case s.Expect != nil:
			found = append(found, r.expect(i, s)...)
		}
	}
	return found
}

// wait reads the runner's verdict on a wait: the runner saw whether the conditions came true.
func (r *run) wait(i int, s plan.Step) finding {
	f := finding{Check: Check{Name: plan.CheckWait, Line: s.Pos.Line}}
	begin, begun := r.begins[i]
	end, ended := r.ends[i]
	timeout, failed := r.timeouts[i]
	switch {
	case !begun:
		return f.unjudged(s.String() + ": the wait never began")
	case failed:
		f.window = window{begin, timeout}
		missed := fmt.Sprintf("%s: not true after %s: ", s, short(timeout.Sub(begin)))
		if why := r.startedApart(i, s, timeout); why != "" {
			f = f.fail(missed+why, f.window)
			f.Verdict = Inconclusive
			return f
		}
		state := r.stateAt(timeout)
		_, why := state.HoldAll(s.Wait.Conds)
		f.Missed = state.missed(s.Wait.Conds...)
		f = f.fail(missed+why+r.remarks(s.Wait.Conds, f.window), f.window)
		return f.late(math.MaxInt64, s.Wait.Within.Allowance())
	case !ended:
		return f.unjudged(s.String() + ": the trace ends before it was true or timed out")
	}
	f.window = window{begin, end}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("%s: true after %s", s, short(end.Sub(begin)))
	return f
}

// remarks returns the last note of each node that the conditions are about, to append to the
// reason of a failure. If a node's role cannot be read, its note says why.
func (r *run) remarks(conds []plan.Cond, w window) string {
	last := map[string]string{}
	for _, e := range r.others {
		about := func(c plan.Cond) bool { return c.Role != nil && c.Role.Node == e.Node }
		if e.Note != "" && e.At <= w.to && slices.ContainsFunc(conds, about) {
			last[e.Node] = e.Note
		}
	}
	text := ""
	for _, node := range slices.Sorted(maps.Keys(last)) {
		text += "; " + node + " says: " + strings.TrimPrefix(last[node], node+": ")
	}
	return text
}

// expect judges one expectation. The conditions of a within must come true together, so they
// have one finding; other conditions have one each.
func (r *run) expect(i int, s plan.Step) []finding {
	anchor, begun := r.anchor(i)
	if !begun {
		f := finding{Check: Check{Name: s.Expect.Conds[0].Check(), Line: s.Pos.Line}}
		return []finding{f.unjudged(s.String() + ": its step never began")}
	}
	env := r.stateAt(anchor).Env()
	switch {
	case s.Expect.Within != nil:
		within, err := s.Expect.Within.Duration(env)
		if err != nil {
			return []finding{r.broken(s, err)}
		}
		return []finding{r.within(s, window{anchor, anchor.Add(within)})}
	case s.Expect.Throughout != nil:
		last, err := s.Expect.Throughout.Duration(env)
		if err != nil {
			return []finding{r.broken(s, err)}
		}
		return r.each(s, window{anchor, anchor.Add(last)})
	}
	return r.each(s, window{anchor, r.nextFault(i)})
}

// anchor is the instant from which the expectation of step i counts. The runner does not
// execute an expectation that has its own time; its instant follows from the scenario's
// clock, which stands still in waits.
func (r *run) anchor(i int) (clock.Instant, bool) {
	i = r.plan.Anchor(i)
	if r.plan.Steps[i].Verb != plan.VerbExpect {
		begin, begun := r.begins[i]
		return begin, begun
	}
	at := r.from.Add(r.plan.Steps[i].At)
	for j, s := range r.plan.Steps[:i] {
		if s.Verb != plan.VerbWait || !r.in(s.Guard) {
			continue
		}
		end, held := r.ends[j]
		if !held {
			return 0, false
		}
		at = at.Add(end.Sub(r.begins[j]))
	}
	return at, at <= r.to
}

func (r *run) broken(s plan.Step, err error) finding {
	f := finding{Check: Check{Name: s.Expect.Conds[0].Check(), Line: s.Pos.Line}}
	return f.unjudged(fmt.Sprintf("%s: %v", s, err))
}

// each judges the conditions of an expectation over the window, one by one. Without within
// and throughout, a state is judged at the window's end.
func (r *run) each(s plan.Step, w window) []finding {
	var found []finding
	for _, c := range s.Expect.Conds {
		f := r.over(c, w, s.Pos.Line)
		if s.Expect.Throughout == nil && (c.Role != nil || c.InSync != nil || plan.IsState(c.Named)) {
			f = r.atEnd(c, w, s.Pos.Line)
		}
		if w.to > r.to && f.Verdict == Pass {
			f = f.unjudged(fmt.Sprintf("%s: the run ended at %s, before the window %s", c, r.at(r.to), r.span(w)))
		}
		found = append(found, f)
	}
	return found
}

// nextFault is when the first fault after step i's own time begins, or the end of the run.
func (r *run) nextFault(i int) clock.Instant {
	for j, s := range r.plan.Steps {
		if begin, begun := r.begins[j]; begun && s.Fault != nil && s.At > r.plan.Steps[i].At {
			return begin - 1
		}
	}
	return r.to
}

// over judges one condition over a stretch of time.
func (r *run) over(c plan.Cond, w window, line int) finding {
	f := finding{Check: Check{Name: c.Check(), Line: line}, window: w}
	lack := lacking(c, r.meta.Lacks)
	switch {
	case lack != "":
		return f.notJudged(c.String() + ": " + lack)
	case c.Output != nil:
		return r.output(f, *c.Output, c.String())
	case c.Compare != nil:
		return r.compare(f, *c.Compare, w)
	case stretched[c.Named] != nil:
		return stretched[c.Named](r, f, w)
	}
	return r.throughout(f, c, w)
}

// stretched has the named conditions that are judged over a window, not at an instant.
var stretched = map[string]func(r *run, f finding, w window) finding{
	plan.Gates: (*run).gates, plan.Announce: (*run).announce, plan.Sticky: (*run).sticky,
	plan.Served: (*run).served, plan.Exclusive: (*run).exclusive, plan.Kept: (*run).kept, plan.Rests: (*run).rests,
}

// onTheWay lists the roles that a node may have before it reaches the role of a condition.
var onTheWay = map[string][]string{
	roleInit:     {},
	roleBackup:   {roleInit, roleYielding, "Fault"},
	roleClaiming: {roleInit, roleBackup},
	roleMaster:   {roleInit, roleBackup, roleClaiming},
	roleYielding: {roleMaster},
}

// throughout judges a state over the window. If the state is not true at the window's begin,
// the node may first pass through the roles of onTheWay: "restore lb1 … lb1 is Backup
// throughout 5s" lets lb1 boot, but fails if lb1 is Claiming or Master before. Once true, the
// state must stay true to the window's end.
func (r *run) throughout(f finding, c plan.Cond, w window) finding {
	settled, before := false, ""
	var missed *Missed
	f = r.scan(f, w, func(s *State, first bool) (bool, string) {
		held, why := s.Holds(c)
		if !held {
			missed = s.missed(c)
		}
		if held || settled || s.Now >= w.to {
			settled = true
			return held, why
		}
		if c.Role == nil {
			return true, why
		}
		role, _ := s.role(c.Role.Node)
		if first {
			before = role
		}
		return role == "" || role == before || slices.Contains(onTheWay[c.Role.Role], role), why
	}, c.String()+" throughout "+w.to.Sub(w.from).String())
	if f.Verdict == Fail {
		f.Missed = missed
	}
	return f
}

// scan calls holds with the state at the window's begin, after each instant with an event,
// and at the window's end. It fails at the first false.
func (r *run) scan(f finding, w window, holds func(s *State, first bool) (bool, string), what string) finding {
	s := NewState(r.plan, r.meta.World)
	i := 0
	for i < len(r.events) && r.events[i].At <= w.from {
		s.Apply(&r.events[i])
		i++
	}
	s.Now = w.from
	ok, why := holds(s, true)
	for ok && i < len(r.events) && r.events[i].At <= w.to {
		now := r.events[i].At
		for ; i < len(r.events) && r.events[i].At == now; i++ {
			s.Apply(&r.events[i])
		}
		ok, why = holds(s, false)
	}
	if ok {
		s.Now = w.to
		ok, why = holds(s, false)
	}
	if !ok {
		return f.fail(fmt.Sprintf("%s over %s: %s at %s", what, r.span(w), why, r.at(s.Now)), window{s.Now, s.Now})
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("%s over %s: %s", what, r.span(w), why)
	return f
}

// within judges whether all conditions are true together at some instant of the window.
// Counts start at the window's begin.
func (r *run) within(s plan.Step, w window) finding {
	conds := judgeable(s.Expect.Conds, r.meta.Lacks)
	if len(conds) == 0 {
		f := finding{Check: Check{Name: s.Expect.Conds[0].Check(), Line: s.Pos.Line}}
		return f.notJudged(s.String() + ": " + lacking(s.Expect.Conds[0], r.meta.Lacks))
	}
	f := finding{Check: Check{Name: conds[0].Check(), Line: s.Pos.Line}, window: w}
	until := min(w.to, r.to)
	state := NewState(r.plan, r.meta.World)
	i := 0
	for i < len(r.events) && r.events[i].At <= w.from {
		state.Apply(&r.events[i])
		i++
	}
	state.Tally = newTally()
	ok, why := state.HoldAll(s.Expect.Conds)
	for !ok && i < len(r.events) && r.events[i].At <= until {
		now := r.events[i].At
		for ; i < len(r.events) && r.events[i].At == now; i++ {
			state.Apply(&r.events[i])
		}
		ok, why = state.HoldAll(s.Expect.Conds)
	}
	limit := w.to.Sub(w.from)
	switch {
	case ok:
		f.Verdict = Pass
		f.Detail = fmt.Sprintf("%s: after %s of %s: %s", s, short(max(state.Now.Sub(w.from), 0)), limit, why)
		f.window.to = max(state.Now, w.from)
	case r.to < w.to && !(s.Expect.Eventually && r.finished()):
		return f.unjudged(fmt.Sprintf("%s: the run ended at %s, before the window %s", s, r.at(r.to), r.span(w)))
	default:
		f.Missed = state.missed(s.Expect.Conds...)
		f = f.fail(fmt.Sprintf("%s: not within %s (window %s): %s%s", s, limit, r.span(w), why, r.remarks(conds, w)), w)
		return f.late(r.lateness(state, i, s.Expect.Conds, w.to), s.Expect.Within.Allowance())
	}
	return f
}

// lateness is how long after due the conditions come true. state has applied the events before
// the i-th, and the conditions are false in it. If they never come true the result is the
// maximum duration.
func (r *run) lateness(state *State, i int, conds []plan.Cond, due clock.Instant) time.Duration {
	for ; i < len(r.events); i++ {
		state.Apply(&r.events[i])
		if last := i+1 == len(r.events) || r.events[i+1].At > r.events[i].At; !last {
			continue
		}
		if ok, _ := state.HoldAll(conds); ok {
			return r.events[i].At.Sub(due)
		}
	}
	return math.MaxInt64
}

// finished reports whether the run completed its end step.
func (r *run) finished() bool {
	_, ok := r.ends[r.endStep()]
	return ok
}

// atEnd judges a state at the end of the window.
func (r *run) atEnd(c plan.Cond, w window, line int) finding {
	f := finding{Check: Check{Name: c.Check(), Line: line}, window: w}
	if lack := lacking(c, r.meta.Lacks); lack != "" {
		return f.notJudged(c.String() + ": " + lack)
	}
	state := r.stateAt(w.to)
	ok, why := state.Holds(c)
	detail := fmt.Sprintf("%s at %s: %s", c, r.at(w.to), why)
	if !ok {
		f.Missed = state.missed(c)
		return f.fail(detail, window{w.to, w.to})
	}
	f.Verdict, f.Detail = Pass, detail
	return f
}

func (f finding) fail(detail string, evidence ...window) finding {
	f.Verdict, f.Detail, f.evidence = Fail, detail, evidence
	return f
}

func (f finding) notJudged(detail string) finding {
	f.Verdict, f.Detail = NotJudged, detail
	return f
}

func (f finding) unjudged(detail string) finding {
	f.Verdict, f.Detail = Inconclusive, detail
	return f
}
