package plan

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Env returns the named values of expressions: "detect" is the negotiated detection time,
// "hold" the recovery delay.
type Env func(name string) (time.Duration, bool)

// IsDuration reports whether the expression is a time rather than a plain number. Parse refuses
// sums that mix the two.
func (e Expr) IsDuration() bool {
	for _, t := range e.Terms {
		if t.Name != "" || t.Unit != 0 {
			return true
		}
	}
	return false
}

// Duration evaluates an expression that is a time.
func (e Expr) Duration(env Env) (time.Duration, error) {
	total := 0.0
	for _, t := range e.Terms {
		unit := t.Unit
		if t.Name != "" {
			named, ok := env(t.Name)
			if !ok {
				return 0, fmt.Errorf("plan: evaluate %s: no value for %s", e, t.Name)
			}
			unit = named
		} else if unit == 0 && t.Factor != 0 {
			return 0, fmt.Errorf("plan: evaluate %s: %s has no unit", e, formatNumber(t.Factor))
		}
		total += t.Factor * float64(unit)
	}
	return time.Duration(math.Round(total)), nil
}

// Allowance is the part of a bound beyond its named values: 50ms of detect+50ms, all of 300ms,
// 0 of detect and detect-10ms.
func (e Expr) Allowance() time.Duration {
	total := 0.0
	for _, t := range e.Terms {
		if t.Name == "" {
			total += t.Factor * float64(t.Unit)
		}
	}
	return max(0, time.Duration(math.Round(total)))
}

// Number evaluates an expression that is a plain number.
func (e Expr) Number() (float64, error) {
	total := 0.0
	for _, t := range e.Terms {
		if t.Name != "" || t.Unit != 0 {
			return 0, fmt.Errorf("plan: evaluate %s: not a plain number", e)
		}
		total += t.Factor
	}
	return total, nil
}

// Holds compares the value of a metric with an expression's.
func (c Compare) Holds(actual, want float64) bool {
	switch c.Op {
	case "<":
		return actual < want
	case "<=":
		return actual <= want
	case "==":
		return actual == want
	case "!=":
		return actual != want
	case ">=":
		return actual >= want
	case ">":
		return actual > want
	}
	return false
}

// String writes the expression as Parse reads it.
func (e Expr) String() string {
	if len(e.Terms) == 0 {
		return "0"
	}
	var b strings.Builder
	for i, t := range e.Terms {
		factor := t.Factor
		switch {
		case factor < 0:
			b.WriteByte('-')
			factor = -factor
		case i > 0:
			b.WriteByte('+')
		}
		b.WriteString(Term{Factor: factor, Name: t.Name, Unit: t.Unit}.text())
	}
	return b.String()
}

func (t Term) text() string {
	switch {
	case t.Name != "" && t.Factor == 1:
		return t.Name
	case t.Name != "":
		return formatNumber(t.Factor) + "*" + t.Name
	case t.Unit == 0:
		return formatNumber(t.Factor)
	}
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "us"}} {
		if t.Unit == u.unit {
			return formatNumber(t.Factor) + u.name
		}
	}
	return formatNumber(t.Factor*float64(t.Unit)) + "ns"
}

// durationTerm returns a duration as a term.
func durationTerm(d time.Duration) Term {
	unit, _ := wholeUnit(d)
	return Term{Factor: float64(d / unit), Unit: unit}
}
