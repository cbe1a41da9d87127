package plan

import (
	"iter"
	"math"
	"slices"
	"time"
)

// Candidates yields plans that are smaller than p by one change, the largest changes first: lines
// and nodes deleted, counts and rates lowered, chaos made gentler, times shortened. The caller
// takes the first plan that still fails, and calls Candidates again with it. Plans that Lint
// refuses are left out.
func Candidates(p *Plan) iter.Seq[*Plan] {
	return func(yield func(*Plan) bool) {
		before := len(Lint(p).Errors(true))
		try := func(change func(*Plan)) bool {
			c := p.clone()
			change(c)
			if len(Lint(c).Errors(true)) > before || Print(c) == Print(p) {
				return true
			}
			return yield(c)
		}
		_ = dropLines(p, try) && dropNodes(p, try) && lowerCounts(p, try) && calm(p, try) && shortenTimes(p, try)
	}
}

// clone copies the plan deep enough that changes of the copy's lines do not affect p.
func (p *Plan) clone() *Plan {
	c := *p
	c.Config, c.Services, c.Traffic = slices.Clone(p.Config), slices.Clone(p.Services), slices.Clone(p.Traffic)
	c.Chaos = slices.Clone(p.Chaos)
	c.Always, c.Steps, c.Captures, c.Sometimes = slices.Clone(p.Always), slices.Clone(p.Steps), slices.Clone(p.Captures), slices.Clone(p.Sometimes)
	c.Control = slices.Clone(p.Control)
	return &c
}

// dropLines deletes steps with their expectations, then single lines.
func dropLines(p *Plan, try func(func(*Plan)) bool) bool {
	for i, s := range p.Steps {
		if s.Fault == nil && s.Wait == nil && s.Random == nil {
			continue
		}
		ok := try(func(c *Plan) {
			c.Steps = slices.Delete(c.Steps, i, i+1)
			for j := len(p.Steps) - 1; j > i; j-- {
				if p.Anchor(j) == i {
					c.Steps = slices.Delete(c.Steps, j-1, j)
				}
			}
		})
		if !ok {
			return false
		}
	}
	for i, s := range p.Steps {
		if s.Verb == VerbExpect && !try(func(c *Plan) { c.Steps = slices.Delete(c.Steps, i, i+1) }) {
			return false
		}
		if s.Verb == VerbEnd && s.Expect != nil && !try(func(c *Plan) { c.Steps[i].Expect = nil }) {
			return false
		}
	}
	return dropEach(p, try, func(c *Plan) *[]Traffic { return &c.Traffic }) &&
		(len(p.Chaos) < 2 || try(func(c *Plan) { c.Chaos = nil })) &&
		dropEach(p, try, func(c *Plan) *[]Chaos { return &c.Chaos }) &&
		dropEach(p, try, func(c *Plan) *[]Service { return &c.Services }) &&
		dropEach(p, try, func(c *Plan) *[]Always { return &c.Always }) &&
		dropEach(p, try, func(c *Plan) *[]Always { return &c.Sometimes }) &&
		dropEach(p, try, func(c *Plan) *[]Setting { return &c.Config }) &&
		dropEach(p, try, func(c *Plan) *[]Capture { return &c.Captures })
}

func dropEach[T any](p *Plan, try func(func(*Plan)) bool, lines func(*Plan) *[]T) bool {
	for i := range *lines(p) {
		if !try(func(c *Plan) { *lines(c) = slices.Delete(*lines(c), i, i+1) }) {
			return false
		}
	}
	return true
}

// dropNodes removes single nodes from faults of several.
func dropNodes(p *Plan, try func(func(*Plan)) bool) bool {
	for i, s := range p.Steps {
		if s.Fault == nil || len(s.Fault.Hosts) < 2 {
			continue
		}
		for n := range s.Fault.Hosts {
			fewer := *s.Fault
			fewer.Hosts = slices.Delete(slices.Clone(s.Fault.Hosts), n, n+1)
			if !try(func(c *Plan) { c.Steps[i].Fault = &fewer }) {
				return false
			}
		}
	}
	return true
}

// lowerCounts halves counts and rates.
func lowerCounts(p *Plan, try func(func(*Plan)) bool) bool {
	for i, t := range p.Traffic {
		if t.Count > 1 && !try(func(c *Plan) { c.Traffic[i].Count = 1 }) ||
			t.Count > 3 && !try(func(c *Plan) { c.Traffic[i].Count /= 2 }) ||
			t.Rate > t.leastRate() && !try(func(c *Plan) { c.Traffic[i].Rate = max(t.leastRate(), float64(int(t.Rate/2))) }) {
			return false
		}
	}
	return lowerHosts(p.Topo.Clients, try, func(c *Plan) *int { return &c.Topo.Clients }) &&
		lowerHosts(p.Topo.Backends, try, func(c *Plan) *int { return &c.Topo.Backends })
}

// leastRate is the lowest rate of lowerCounts: a slower probe would itself cause gaps.
func (t Traffic) leastRate() float64 {
	if t.Kind == Probe {
		return 10
	}
	return 1
}

func lowerHosts(n int, try func(func(*Plan)) bool, hosts func(*Plan) *int) bool {
	return (n == 1 || try(func(c *Plan) { *hosts(c) = 1 })) &&
		(n < 4 || try(func(c *Plan) { *hosts(c) = n / 2 }))
}

// calm halves each line of chaos.
func calm(p *Plan, try func(func(*Plan)) bool) bool {
	for i, line := range p.Chaos {
		if gentler, ok := line.gentler(); ok && !try(func(c *Plan) { c.Chaos[i] = gentler }) {
			return false
		}
	}
	return true
}

// The smallest values of calm; below them chaos has hardly an effect.
const (
	leastShare = 0.001
	leastSpan  = 100 * time.Microsecond
)

// gentler returns the line with half its value, or twice for a Gentle key; false if that is
// invalid or too small to have an effect.
func (c Chaos) gentler() (Chaos, bool) {
	key, _ := ChaosKeyOf(c.Key)
	factor := 0.5
	if key.Gentle {
		factor = 2
	}
	var text string
	if d, err := time.ParseDuration(c.Value); err == nil && c.Value != "0" {
		changed := time.Duration(float64(d) * factor)
		text = formatDuration(changed.Truncate(leastSpan))
		if changed < leastSpan {
			return c, false
		}
	} else {
		changed := twoDigits(numeric(c.Value) * factor)
		text = formatNumber(changed)
		if changed < leastShare {
			return c, false
		}
	}
	canonical, err := key.quantity(text)
	c.Value = canonical
	return c, err == nil
}

// twoDigits truncates a number above 1 to an integer, and a smaller one to two significant digits.
func twoDigits(f float64) float64 {
	if f > 1 || f == 0 {
		return math.Trunc(f)
	}
	scale := math.Pow10(1 - int(math.Floor(math.Log10(f))))
	return math.Trunc(f*scale) / scale
}

// shortest is the shortest time before a step that shortenTimes leaves.
const shortest = 100 * time.Millisecond

// shortenTimes halves the time before each step, which moves all later steps too.
func shortenTimes(p *Plan, try func(func(*Plan)) bool) bool {
	before := time.Duration(0)
	for i, step := range p.Steps {
		pause := step.At - before
		before = step.At
		if pause <= shortest {
			continue
		}
		less := (pause / 2).Truncate(time.Millisecond)
		ok := try(func(c *Plan) {
			for j := i; j < len(c.Steps); j++ {
				c.Steps[j].At -= less
			}
		})
		if !ok {
			return false
		}
	}
	return true
}
