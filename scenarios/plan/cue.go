package plan

import (
	"cmp"
	"slices"
	"time"
)

// Cue is a time of the scenario at which a line of traffic starts or stops.
type Cue struct {
	At   time.Duration
	Line string
	On   bool
}

// Cues lists when traffic lines with from= or until= start and stop in a world, by time.
func (p *Plan) Cues(world string) []Cue {
	var cues []Cue
	for _, t := range p.Traffic {
		if !t.Guard.In(world) {
			continue
		}
		if t.From > 0 {
			cues = append(cues, Cue{At: t.From, Line: t.Name, On: true})
		}
		if t.Until > 0 {
			cues = append(cues, Cue{At: t.Until, Line: t.Name})
		}
	}
	slices.SortStableFunc(cues, func(a, b Cue) int { return cmp.Compare(a.At, b.At) })
	return cues
}
