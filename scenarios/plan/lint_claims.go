package plan

import (
	"math"
	"slices"
	"strconv"
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/metric"
)

// atMost has the metrics with a maximum in a pair.
var atMost = map[string]float64{"masters": float64(len(lab.Nodes())), "forwarders": float64(len(lab.Nodes()))}

// certain warns of a comparison that is true in every run, or in none.
func (l *linter) certain(c Cond, g Guard) {
	most, limited := atMost[c.Compare.Metric]
	if !limited {
		most = math.Inf(1)
	}
	want, timed, ok := l.bound(*c.Compare, g.world())
	if lasts := l.lasts(g.world()); timed {
		most = milliseconds(lasts)
	}
	switch holds, breaks := reach(c.Compare.Op, want, most); {
	case !ok:
	case !breaks:
		l.warn(c.Pos, telling(*c.Compare), "%s cannot fail%s", c, beyond(timed, l.lasts(g.world())))
	case !holds:
		l.warn(c.Pos, "", "%s can never be true: %s is %s", c, c.Compare.Name(), formatRange(most, timed))
	}
}

// bound evaluates the right side of a comparison, in milliseconds if it is a time.
func (l *linter) bound(c Compare, world string) (want float64, timed, ok bool) {
	m, _ := metric.Of(c.Metric)
	if m.Unit == metric.Count || !c.Value.IsDuration() {
		want, err := c.Value.Number()
		return want, m.Unit != metric.Count, err == nil
	}
	d, err := c.Value.Duration(l.Env(world))
	return milliseconds(d), true, err == nil
}

// lasts is the longest time that a run can take, with its waits.
func (l *linter) lasts(world string) time.Duration {
	var total time.Duration
	for _, s := range l.Steps {
		if !s.Guard.In(world) {
			continue
		}
		for _, waiting := range s.waits() {
			if d, err := waiting.Duration(l.Env(world)); err == nil {
				total += max(d, 0)
			}
		}
		if s.Verb == VerbEnd {
			return total + s.At
		}
	}
	return math.MaxInt64 // no end: reported elsewhere
}

// waits lists the longest times for which a step may hold the clock.
func (s Step) waits() []Expr {
	switch {
	case s.Wait != nil:
		return []Expr{s.Wait.Within}
	case s.Expect != nil && s.Expect.Eventually:
		return []Expr{*s.Expect.Within}
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// reach says whether a value from 0 to most can satisfy "value op want", and whether one
// can break it.
func reach(op string, want, most float64) (holds, breaks bool) {
	switch op {
	case "<":
		return want > 0, most >= want
	case "<=":
		return want >= 0, most > want
	case ">":
		return most > want, want >= 0
	case ">=":
		return most >= want, want > 0
	case "==":
		return want >= 0 && want <= most, true
	}
	return true, want >= 0 && want <= most
}

// telling suggests the comparison that was probably meant, "" if there is none.
func telling(c Compare) string {
	want, _ := c.Value.Number()
	switch {
	case atMost[c.Metric] > 0 && (c.Op == "<=" || c.Op == "<"):
		return c.Name() + " <= 1"
	case c.Op == ">=" && want == 0 && slices.Contains([]string{"rst", "lost", "corrupt", "moved", "connects_failed", "unanswered", "incomplete"}, c.Metric):
		return c.Name() + " == 0"
	case c.Op == ">=" && want == 0:
		return c.Name() + " >= 1"
	}
	return ""
}

// beyond says that a bound on a time is longer than the run.
func beyond(timed bool, lasts time.Duration) string {
	if !timed {
		return ""
	}
	return ": the run lasts at most " + formatDuration(lasts)
}

// formatRange writes the range from 0 to most.
func formatRange(most float64, timed bool) string {
	switch {
	case timed:
		return "from 0 to " + formatDuration(time.Duration(most*float64(time.Millisecond)))
	case math.IsInf(most, 1):
		return "0 or more"
	}
	return "from 0 to " + strconv.FormatFloat(most, 'f', -1, 64)
}

// together reports conditions that cannot be true at the same instant.
func (l *linter) together(conds []Cond) {
	roleOf := map[string]RoleIs{}
	for _, c := range conds {
		if c.Role == nil {
			continue
		}
		other, seen := roleOf[c.Role.Node]
		if seen && other != *c.Role && !other.Not && (!c.Role.Not || other.Role == c.Role.Role) {
			l.errorf(c.Pos, "", "", "%s and %s cannot be true together; write an expectation for each", Cond{Role: &other}, c)
		}
		roleOf[c.Role.Node] = *c.Role
	}
}

// outlasts warns of an expectation that goes on after the end step. The runner waits for it, so
// the run ends later than the scenario says.
func (t *timeline) outlasts(s Step) {
	last, err := s.Expect.Throughout.Duration(t.Env(t.world))
	end := slices.IndexFunc(t.Steps, func(o Step) bool { return o.Verb == VerbEnd && o.Guard.In(t.world) })
	if err != nil || end < 0 || s.At+last <= t.Steps[end].At {
		return
	}
	t.warn(s.Pos, "", "throughout %s goes on after the end at %s; write @%s end, or throughout %s", s.Expect.Throughout,
		formatDuration(t.Steps[end].At), formatDuration(s.At+last), formatDuration(t.Steps[end].At-s.At))
}

// chaosEnds warns of chaos that would end after the run.
func (l *linter) chaosEnds(c Chaos) {
	for _, world := range worlds {
		if until, lasts := timed(c.Value), l.lasts(world); c.Key == chaosUntil && c.Guard.In(world) && until >= lasts {
			l.warn(c.Pos, "", "chaos until=%s has no effect: the run lasts at most %s; leave it out", c.Value, formatDuration(lasts))
			return
		}
	}
}
