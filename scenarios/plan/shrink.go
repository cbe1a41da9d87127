package plan

import (
	"iter"
	"slices"
	"time"
)

// Candidates yields plans that are smaller than p by one change, the largest
// changes first: lines deleted, counts and rates lowered, times shortened. A
// caller that knows how to tell whether a plan still fails takes the first that
// does and asks again. Plans that Lint refuses are left out.
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
		_ = dropLines(p, try) && lowerCounts(p, try) && shortenTimes(p, try)
	}
}

// clone copies the plan deep enough that no change of the copy's lines reaches p.
func (p *Plan) clone() *Plan {
	c := *p
	c.Config, c.Services, c.Traffic = slices.Clone(p.Config), slices.Clone(p.Services), slices.Clone(p.Traffic)
	c.Chaos = slices.Clone(p.Chaos)
	c.Always, c.Steps, c.Captures = slices.Clone(p.Always), slices.Clone(p.Steps), slices.Clone(p.Captures)
	c.Control = slices.Clone(p.Control)
	return &c
}

// dropLines deletes steps with what belongs to them, then single lines.
func dropLines(p *Plan, try func(func(*Plan)) bool) bool {
	for i, s := range p.Steps {
		if s.Fault == nil && s.Wait == nil {
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

// lowerCounts halves what there is many of.
func lowerCounts(p *Plan, try func(func(*Plan)) bool) bool {
	for i, t := range p.Traffic {
		if t.Count > 1 && !try(func(c *Plan) { c.Traffic[i].Count = 1 }) ||
			t.Count > 3 && !try(func(c *Plan) { c.Traffic[i].Count /= 2 }) ||
			t.Rate > 2 && !try(func(c *Plan) { c.Traffic[i].Rate = float64(int(t.Rate / 2)) }) {
			return false
		}
	}
	return (p.Topo.Clients == 1 || try(func(c *Plan) { c.Topo.Clients = 1 })) &&
		(p.Topo.Backends == 1 || try(func(c *Plan) { c.Topo.Backends = 1 }))
}

// shortest is the least time between steps that shortenTimes leaves.
const shortest = 100 * time.Millisecond

// shortenTimes halves the time in front of each step, for it and all after it.
func shortenTimes(p *Plan, try func(func(*Plan)) bool) bool {
	for i := 1; i < len(p.Steps); i++ {
		pause := p.Steps[i].At - p.Steps[i-1].At
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
