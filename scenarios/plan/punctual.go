package plan

import (
	"slices"
	"strings"
	"time"

	"baton/scenarios/metric"
)

// tight is below which allowance a claim is about milliseconds: a machine that does
// something else meanwhile can break it.
const tight = 500 * time.Millisecond

// Punctual reports whether a run in a world judges milliseconds, so that nothing else
// should run beside it. Virtual time does not mind.
func (p *Plan) Punctual(world string) bool {
	if world == Sim {
		return false
	}
	return slices.ContainsFunc(p.Claims(world), func(c Cond) bool { return c.Compare != nil && c.Compare.Timed() && c.Compare.Allowance() < tight }) ||
		slices.ContainsFunc(p.Steps, func(s Step) bool {
			return s.Expect != nil && s.Expect.Within != nil && s.Guard.In(world) && s.Expect.Within.Allowance() < tight
		})
}

// Timed reports whether the comparison bounds a time from above.
func (c Compare) Timed() bool {
	m, _ := metric.Of(c.Metric)
	return m.Unit != metric.Count && strings.HasPrefix(c.Op, "<")
}

// Allowance is what the bound of a comparison of times leaves beyond named values. A
// plain number is of milliseconds.
func (c Compare) Allowance() time.Duration {
	if c.Value.IsDuration() {
		return c.Value.Allowance()
	}
	ms, _ := c.Value.Number() // no name in it: no error
	return time.Duration(ms * float64(time.Millisecond))
}
