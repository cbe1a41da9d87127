package plan

import (
	"slices"
	"strings"
	"time"

	"baton/scenarios/fault"
)

// Repeats and undos are expanded while the file is read: a Plan has only single steps.

// maxRepeats limits the number of repetitions of a block.
const maxRepeats = 1000

const repeatUsage = "repeat N every DURATION {"

// block is a repeat whose lines are being read. Their times count from the begin of each
// repetition.
type block struct {
	pos    Pos
	at     time.Duration
	first  int // index of its first step
	undone int // the number of undo steps before it
	count  int
	every  time.Duration
}

// open begins a block.
func (b *builder) open(r *repeatLine, at time.Duration, pos Pos) {
	if b.block != nil {
		b.errorf(pos, "", "a repeat within the repeat of %s", b.block.pos)
		return
	}
	count, err := parseCount(r.Count.Text, 1, maxRepeats)
	if err != nil {
		b.refuse(r.Count.Pos, "repeat", err)
	}
	every, err := parseDuration(r.Every.Text)
	if err != nil {
		b.refuse(r.Every.Pos, "every", err)
	}
	b.block = &block{pos: pos, at: at, first: len(b.plan.Steps), undone: len(b.undone), count: count, every: every}
}

// close ends a block and expands its steps.
func (b *builder) close(pos Pos) {
	if b.block == nil {
		b.errorf(pos, "", "this } ends no repeat")
		return
	}
	blk, steps := *b.block, slices.Clone(b.plan.Steps[b.block.first:])
	b.block = nil
	if i := slices.IndexFunc(steps, func(s Step) bool { return s.Verb == VerbEnd }); i >= 0 {
		b.errorf(steps[i].Pos, "", "an end cannot be repeated; write it below the }")
		return
	}
	switch last := len(steps) - 1; {
	case last < 0:
		b.errorf(blk.pos, "", "the repeat has no steps")
		return
	case steps[last].At-blk.at > blk.every:
		b.errorf(steps[last].Pos, "", "the step at %s is later than the next repetition, which begins after %s",
			formatDuration(steps[last].At-blk.at), formatDuration(blk.every))
	}
	undone := slices.Clone(b.undone[blk.undone:])
	for n := 1; n < blk.count; n++ {
		later := time.Duration(n) * blk.every
		for _, s := range steps {
			s.At += later
			b.plan.Steps = append(b.plan.Steps, s)
		}
		for _, s := range undone {
			s.At += later
			b.undone = append(b.undone, s)
		}
	}
}

// undo notes the step that undoes a fault after its duration.
func (b *builder) undo(line *faultLine, step Step) {
	if d, ok := b.lasting(line); ok {
		b.undone = append(b.undone, step.undo(d))
	}
}

// lasting reads the duration of a fault.
func (b *builder) lasting(line *faultLine) (time.Duration, bool) {
	verb, _ := fault.Of(line.Verb)
	d, err := parseDuration(line.For.Text)
	switch {
	case err != nil:
		b.refuse(line.For.Pos, "for", err)
	case verb.Undo == "":
		b.errorf(position(line.For.Pos), "", "%s has no duration, so it takes no for", line.Verb)
		return 0, false
	case d == 0:
		b.errorf(position(line.For.Pos), "", "for %s ends the fault as it begins", line.For.Text)
	}
	return d, err == nil
}

// undo returns the step that undoes the step's fault some time after it.
func (s Step) undo(after time.Duration) Step {
	verb, _ := fault.Of(s.Verb)
	back := *s.Fault
	back.Verb, back.Way, back.Share, back.Time, back.Args = verb.Undo, "", 0, 0, nil
	undo := Step{At: s.At + after, Verb: verb.Undo, Fault: &back, Guard: s.Guard, Pos: s.Pos}
	undo.Text = strings.TrimSpace(undo.String())
	return undo
}

// again notes the steps of a fault with every: the fault, and its undo half a period later.
func (b *builder) again(line *faultLine, step Step) {
	every, err := parseDuration(line.Every.Text)
	switch {
	case err != nil:
		b.refuse(line.Every.Pos, "every", err)
		return
	case line.For == nil:
		b.errorf(position(line.Every.Pos), "", "every %s for how long? Add for DURATION", line.Every.Text)
		return
	}
	d, ok := b.lasting(line)
	switch {
	case !ok:
		return
	case every < 2*time.Millisecond || d/every < 1 || d/every > maxRepeats:
		b.errorf(position(line.Every.Pos), "", "every %s for %s is outside of 1 to %d repetitions", line.Every.Text, line.For.Text, maxRepeats)
		return
	}
	for n := range d / every {
		s := step
		s.At += n * every
		if s.Text = s.String(); n > 0 {
			b.undone = append(b.undone, s)
		}
		b.undone = append(b.undone, s.undo(every/2))
	}
}

// expand inserts the undo steps at their times, but never between a step and its expectations.
func (b *builder) expand() {
	if b.block != nil {
		b.errorf(b.block.pos, "", "the repeat has no end: a line with }")
	}
	for n, undo := range b.undone {
		if slices.ContainsFunc(b.undone[:n], undo.same) {
			continue // one heal undoes all faults of a link
		}
		b.plan.place([]Step{undo})
	}
}

// same reports whether another step executes the same fault at the same time.
func (s Step) same(o Step) bool {
	return s.At == o.At && s.Guard == o.Guard && s.String() == o.String()
}
