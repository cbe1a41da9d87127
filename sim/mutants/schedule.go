package mutants

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// job is a mutant under way, or a suite without one.
type job struct {
	Mutant
	binary
	dir   string // of a binary of its own
	some  bool   // it has the mutant only in the programs that the test of the hint loads
	kill  *Kill
	err   error
	took  time.Duration
	spent meter
}

// clock begins to count time that the job takes, and returns what ends it.
func (j *job) clock() func() {
	began := time.Now()
	return func() { j.took += time.Since(began) }
}

func (j *job) close() {
	if j.dir != "" {
		os.RemoveAll(j.dir)
	}
}

// Outcome returns what has become of it. A suite that fails without a mutant is an error.
func (j *job) Outcome() Outcome {
	o := Outcome{Name: j.Name, Bug: j.Bug, Kill: j.kill, Err: j.err, Took: j.took, Processor: j.spent.processor}
	if len(j.Edits) == 0 && j.kill != nil {
		o.Err = fmt.Errorf("mutants: %s fails without a mutant: %s, %s: %s", j.Suite, j.kill.Where, j.kill.Check, j.kill.Why)
	}
	return o
}

// RunAll runs mutants, and suites without one, and hands each outcome over once it is known, one
// at a time. Tests that judge times run one after the other, as make test runs them. They wait
// more than they compute; all others run beside them and get the processor time that they leave.
func (r *Runner) RunAll(ctx context.Context, list []Mutant, done func(Outcome)) (err error) {
	if r.timed, err = loadTimed(r.Root); err != nil {
		return err
	}
	watching, end := context.WithCancel(ctx)
	defer end()
	go r.stalls.watch(watching)

	alone, beside := make(chan *job, len(list)), make(chan *job, len(list))
	r.divide(list, alone, beside)
	var one sync.Mutex
	finish := func(j *job) {
		r.judge(ctx, j)
		j.close()
		one.Lock()
		defer one.Unlock()
		done(j.Outcome())
	}
	var builders, judges sync.WaitGroup
	for range max(1, r.Workers) {
		builders.Go(func() {
			for j := range beside {
				j.spent.polite = true
				if r.build(ctx, j); r.judgesTime(j.Mutant) {
					j.spent.polite = false
					alone <- j
					continue
				}
				finish(j)
			}
		})
	}
	judges.Go(func() {
		for j := range alone {
			finish(j)
		}
	})
	builders.Wait()
	close(alone)
	judges.Wait()
	return nil
}

// divide fills the two queues. What must be built first goes beside, and so early that it does not
// keep the others waiting; then comes what takes longest.
func (r *Runner) divide(list []Mutant, alone, beside chan<- *job) {
	var first, second, rest []*job
	for _, m := range list {
		j := &job{Mutant: m}
		_, in := r.together(m)
		switch {
		case in && r.judgesTime(m):
			r.build(context.Background(), j)
			alone <- j
		case r.judgesTime(m):
			first = append(first, j)
		case len(m.Edits) == 0 || !in:
			second = append(second, j)
		default:
			rest = append(rest, j)
		}
	}
	for _, j := range slices.Concat(first, second, rest) {
		beside <- j
	}
	close(beside)
}

// judgesTime reports whether the test that kills a mutant, or may, judges times.
func (r *Runner) judgesTime(m Mutant) bool {
	test := m.Test
	if hint := r.Hints.test(m); hint != "" {
		test = string(hint)
	}
	return r.timed.has(m.Suite, test)
}
