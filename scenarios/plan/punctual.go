package plan

import (
	"slices"
	"strings"
	"time"

	"baton/scenarios/metric"
)

// tight is the allowance below which other load on the machine can break a claim.
const tight = 500 * time.Millisecond

// Punctual reports whether a run judges milliseconds, so that nothing should run beside it. It
// is false for the simulator: load does not change virtual time.
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

// Allowance is the part of a time bound beyond its named values. A plain number counts in
// milliseconds.
func (c Compare) Allowance() time.Duration {
	if c.Value.IsDuration() {
		return c.Value.Allowance()
	}
	ms, _ := c.Value.Number() // a plain number: no error
	return time.Duration(ms * float64(time.Millisecond))
}
