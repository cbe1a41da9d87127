package plan

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/participle/v2/lexer"

	"baton/scenarios/fault"
)

// Random steps: the seed of a run draws the time of each and one of its faults.

const (
	randomUsage = "randomly between TIME and TIME FAULT [or FAULT]..."
	stormUsage  = "storm N between TIME and TIME FAULT [or FAULT]..."
)

// VerbRandom is the verb of a random Step before Drawn.
const VerbRandom = "randomly"

// Random says what is drawn for a Step: it begins at its At or up to Width later, with one of
// Choices.
type Random struct {
	Width   time.Duration
	Choices []Choice
}

// Choice is a fault with its duration, 0 for no end.
type Choice struct {
	Fault *Fault
	For   time.Duration
}

type between struct {
	From   *quantity   `parser:"'between' @@"`
	To     *quantity   `parser:"'and' @@"`
	Faults []*anyFault `parser:"@@ ( 'or' @@ )*"`
}

// anyFault is a fault that does not begin its line.
type anyFault struct {
	Pos  lexer.Position
	Verb string `parser:"@Word"`
	faultWords
}

type stormLine struct {
	Count *quantity `parser:"@@"`
	between
}

func (f *anyFault) line() *faultLine { return &faultLine{f.Pos, f.Verb, f.faultWords} }

// random adds a random step.
func (b *builder) random(r *between, guard Guard, pos Pos) {
	from, to, ok := b.times(r)
	choices, sound := b.choices(r)
	if ok && sound {
		b.drawn(from, to-from, choices, guard, pos)
	}
}

// storm adds random steps. Each has a separate part of the time, so that they do not overlap.
func (b *builder) storm(s *stormLine, guard Guard, pos Pos) {
	count, err := parseCount(s.Count.Text, 1, maxRepeats)
	if err != nil {
		b.refuse(s.Count.Pos, "storm", err)
		return
	}
	from, to, ok := b.times(&s.between)
	choices, sound := b.choices(&s.between)
	if !ok || !sound {
		return
	}
	part := (to - from) / time.Duration(count)
	for _, c := range choices {
		if c.For >= part {
			b.errorf(pos, "", "%d parts of %s have %s each, but %s lasts for %s", count, formatDuration(to-from), formatDuration(part), c.Fault.Verb, formatDuration(c.For))
			return
		}
	}
	longest := slices.MaxFunc(choices, func(a, b Choice) int { return int(a.For - b.For) }).For
	for n := range count {
		b.drawn(from+time.Duration(n)*part, part-longest-time.Millisecond, choices, guard, pos)
	}
}

func (b *builder) drawn(at, width time.Duration, choices []Choice, guard Guard, pos Pos) {
	step := Step{At: at, Verb: VerbRandom, Random: &Random{Width: max(width, 0), Choices: choices}, Guard: guard, Pos: pos}
	step.Text = step.String()
	b.plan.Steps = append(b.plan.Steps, step)
}

// times reads between A and B.
func (b *builder) times(r *between) (from, to time.Duration, ok bool) {
	from, err := parseDuration(r.From.Text)
	if err != nil {
		b.refuse(r.From.Pos, "between", err)
		return 0, 0, false
	}
	if to, err = parseDuration(r.To.Text); err != nil {
		b.refuse(r.To.Pos, "between", err)
		return 0, 0, false
	}
	if to <= from {
		b.errorf(position(r.To.Pos), "", "%s is not after %s", r.To.Text, r.From.Text)
		return 0, 0, false
	}
	if b.block != nil {
		from, to = from+b.block.at, to+b.block.at
	}
	return from, to, true
}

// choices reads the faults.
func (b *builder) choices(r *between) (choices []Choice, sound bool) {
	before := len(b.found)
	for _, f := range r.Faults {
		line := f.line()
		verb, known := fault.Of(f.Verb)
		switch {
		case !known:
			called, _ := fault.Of(cmp.Or(append(fault.Called(f.Verb), "")...))
			meant, form := cmp.Or(called.Word, Nearest(f.Verb, fault.Words())), ""
			if called.Word != "" {
				form = "; the form is: " + called.Usage()
			}
			b.errorf(position(f.Pos), meant, "unknown fault %q%s", f.Verb, form)
			continue
		case line.Every != nil:
			b.errorf(position(line.Every.Pos), "", "a random fault takes no every; the form is: %s", randomUsage)
			continue
		case verb.As != "":
			b.errorf(position(f.Pos), verb.As, "%s repeats; a random fault is executed once", f.Verb)
			continue
		}
		c := Choice{Fault: b.fault(line)}
		if line.For != nil && !verb.Bounded {
			c.For, _ = b.lasting(line)
		}
		choices = append(choices, c)
	}
	return choices, len(b.found) == before
}

// randomly writes the random step as Parse reads it.
func (s Step) randomly() string {
	choices := make([]string, len(s.Random.Choices))
	for i, c := range s.Random.Choices {
		choices[i] = strings.TrimSpace(c.Fault.Verb + " " + c.Fault.Target())
		if c.For > 0 {
			choices[i] += " for " + formatDuration(c.For)
		}
	}
	return VerbRandom + " between " + formatDuration(s.At) + " and " + formatDuration(s.At+s.Random.Width) + " " + strings.Join(choices, " or ")
}

// Drawn returns the plan as a run with the seed executes it: each random step has a time, one
// fault, and an undo if the fault has a duration. Expectations move with their step. A plan
// without random steps is returned as it is.
func (p *Plan) Drawn(seed uint64) *Plan {
	if !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Random != nil }) {
		return p
	}
	draw := rand.New(rand.NewPCG(seed, 0x72616e646f6d))
	drawn := *p
	drawn.Steps = nil
	var later []Step // to be inserted at their times
	for i := 0; i < len(p.Steps); i++ {
		s := p.Steps[i]
		if s.Random == nil {
			drawn.Steps = append(drawn.Steps, s)
			continue
		}
		after := time.Duration(draw.Float64() * float64(s.Random.Width)).Truncate(time.Millisecond)
		c := s.Random.Choices[draw.IntN(len(s.Random.Choices))]
		one := Step{At: s.At + after, Verb: c.Fault.Verb, Fault: c.Fault, Guard: s.Guard, Pos: s.Pos}
		one.Text = one.String()
		later = append(later, one)
		for i+1 < len(p.Steps) && p.Steps[i+1].Verb == VerbExpect && p.Anchor(i+1) == i {
			i++
			its := p.Steps[i]
			its.At = one.At
			later = append(later, its)
		}
		if c.For > 0 {
			later = append(later, one.undo(c.For))
		}
	}
	drawn.place(later)
	return &drawn
}

// place inserts steps at their times: after all steps of the same time, but before the end and
// before waits. A wait holds the clock, so a step after it could not make its condition true.
func (p *Plan) place(steps []Step) {
	for _, s := range steps {
		i := slices.IndexFunc(p.Steps, func(o Step) bool {
			return o.At > s.At || o.At == s.At && (o.Verb == VerbEnd || o.Verb == VerbWait)
		})
		if i < 0 {
			i = len(p.Steps)
		}
		p.Steps = slices.Insert(p.Steps, i, s)
	}
}
