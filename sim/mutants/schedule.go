package mutants

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// job is the run of a mutant, or of a suite without one.
type job struct {
	Mutant
	binary
	dir   string // of the job's own binary, "" if it uses the shared one
	some  bool   // only the eBPF programs that the hint's test loads contain the mutant
	kill  *Kill
	err   error
	took  time.Duration
	spent meter
}

// clock starts to measure wall time of the job. The returned function adds it to took.
func (j *job) clock() func() {
	began := time.Now()
	return func() { j.took += time.Since(began) }
}

func (j *job) close() {
	if j.dir != "" {
		os.RemoveAll(j.dir)
	}
}

// Outcome returns the outcome of the job. A suite that fails without a mutant is an error.
func (j *job) Outcome() Outcome {
	o := Outcome{Name: j.Name, Bug: j.Bug, Kill: j.kill, Err: j.err, Took: j.took, Processor: j.spent.processor}
	if len(j.Edits) == 0 && j.kill != nil {
		o.Err = fmt.Errorf("mutants: %s fails without a mutant: %s, %s: %s", j.Suite, j.kill.Where, j.kill.Check, j.kill.Why)
	}
	return o
}

// RunAll runs mutants, and suites without one. It calls done with each outcome as soon as it is
// known, one at a time. Tests that judge times run one after the other in their rows. They mostly
// wait, so the others run beside them at low priority.
func (r *Runner) RunAll(ctx context.Context, list []Mutant, done func(Outcome)) (err error) {
	if r.timed, err = loadTimed(r.Root); err != nil {
		return err
	}
	watching, end := context.WithCancel(ctx)
	defer end()
	go r.stalls.watch(watching)

	var queues [rows]chan *job
	for i := range queues {
		queues[i] = make(chan *job, len(list))
	}
	r.divide(list, queues)
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
			for j := range queues[untimed] {
				j.spent.polite = true
				r.build(ctx, j)
				if row := r.row(j.Mutant); row != untimed {
					j.spent.polite = false
					queues[row] <- j
					continue
				}
				finish(j)
			}
		})
	}
	for row := untimed + 1; row < rows; row++ {
		judges.Go(func() {
			for j := range queues[row] {
				finish(j)
			}
		})
	}
	builders.Wait()
	for row := untimed + 1; row < rows; row++ {
		close(queues[row])
	}
	judges.Wait()
	return nil
}

// divide fills the queues. Mutants that judge times but must be built go to the untimed first, so that
// their rows do not have to wait for them at the end. Then come the slowest: suites without a mutant, and
// mutants with a build of their own.
func (r *Runner) divide(list []Mutant, queues [rows]chan *job) {
	var first, second, rest []*job
	for _, m := range list {
		j := &job{Mutant: m}
		_, in := r.together(m)
		switch row := r.row(m); {
		case in && row != untimed:
			r.build(context.Background(), j)
			queues[row] <- j
		case row != untimed:
			first = append(first, j)
		case len(m.Edits) == 0 || !in:
			second = append(second, j)
		default:
			rest = append(rest, j)
		}
	}
	for _, j := range slices.Concat(first, second, rest) {
		queues[untimed] <- j
	}
	close(queues[untimed])
}

// row returns the row of the test that should kill a mutant.
func (r *Runner) row(m Mutant) row {
	test := m.Test
	if hint := r.Hints.test(m); hint != "" {
		test = string(hint)
	}
	return r.timed.of(m.Suite, test)
}
