package campaign

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"baton/impl/trace"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim"
)

// Options choose the seeds of a campaign.
type Options struct {
	Start uint64 // the first seed
	Seeds int
	// Shard i of Shards runs the seeds whose distance from Start is i modulo Shards.
	Shard, Shards int
	// Workers is how many worlds run at once; 0 means as many as there are cores.
	Workers int
	// Unsafe turns the gates off.
	Unsafe bool
	// MaxViolations is the number of violations that ends the campaign; 0 means no limit.
	MaxViolations int
	// Progress, if set, is called about once a second and at the end; Violated once
	// for each violation. Neither is called concurrently.
	Progress func(Progress)
	Violated func(Violation)
}

// Progress is the progress of a campaign.
type Progress struct {
	Done, Total  int
	Violations   int
	Inconclusive int
	// Reasons counts the inconclusive seeds by reason.
	Reasons   map[string]int
	Simulated time.Duration
	Wall      time.Duration
}

// SeedsPerSecond is the rate of the campaign so far.
func (p Progress) SeedsPerSecond() float64 { return float64(p.Done) / max(p.Wall.Seconds(), 1e-9) }

// Speed is the number of simulated seconds per second of wall time.
func (p Progress) Speed() float64 { return p.Simulated.Seconds() / max(p.Wall.Seconds(), 1e-9) }

// Violation is a seed whose claims do not hold.
type Violation struct {
	Seed   uint64
	Check  string // the first check that failed
	Reason string // one line
	// Case can be printed, run again or shrunk.
	Case Case
}

// Result is the outcome of a seed.
type Result struct {
	Case
	Verdict   check.Verdict
	Simulated time.Duration
	recording *scenarios.Recording
}

// Events returns the trace.
func (r Result) Events() []trace.Event { return r.recording.Events() }

// Validate reports invalid options, in one line.
func (o Options) Validate() error {
	switch {
	case o.Seeds <= 0:
		return fmt.Errorf("campaign: %d seeds: the range is empty", o.Seeds)
	case o.Shards < 0 || o.Shards == 0 && o.Shard != 0:
		return fmt.Errorf("campaign: %d shards", o.Shards)
	case o.Shards > 0 && (o.Shard < 0 || o.Shard >= o.Shards):
		return fmt.Errorf("campaign: shard %d is not from 0 to %d", o.Shard, o.Shards-1)
	case o.Shard >= o.Seeds:
		return fmt.Errorf("campaign: shard %d of %d seeds: the range is empty", o.Shard, o.Seeds)
	case o.Start+uint64(o.Seeds-1) < o.Start:
		return fmt.Errorf("campaign: seeds from %d: the range ends beyond the largest seed", o.Start)
	case o.Workers < 0 || o.MaxViolations < 0:
		return fmt.Errorf("campaign: negative bound (workers %d, violations %d)", o.Workers, o.MaxViolations)
	}
	return nil
}

// Total is the number of seeds of the shard.
func (o Options) Total() int {
	shards := max(o.Shards, 1)
	return (o.Seeds - o.Shard + shards - 1) / shards
}

// Execute runs one case.
func Execute(ctx context.Context, c Case) (Result, error) {
	recording := scenarios.NewRecording(c.Plan, plan.Sim)
	w, err := sim.NewWorld(c.Plan, sim.Config{Seed: c.Seed, Recorder: recording})
	if err != nil {
		return Result{}, err
	}
	began := w.Now()
	run := scenarios.Run{Plan: c.Plan, World: w, Recording: recording, SUT: "reference", Seed: c.Seed}
	verdict, err := run.Execute(ctx)
	return Result{Case: c, Verdict: verdict, Simulated: w.Now().Sub(began), recording: recording}, err
}

// ViolationOf returns the violation of a result, false if its verdict is not a failure.
func ViolationOf(r Result) (Violation, bool) {
	if r.Verdict.Verdict != check.Fail {
		return Violation{}, false
	}
	v := Violation{Seed: r.Seed, Case: r.Case}
	for _, c := range r.Verdict.Checks {
		if c.Verdict == check.Fail {
			v.Check = c.Name
			v.Reason, _, _ = strings.Cut(c.Detail, "\n")
			break
		}
	}
	return v, true
}

// figures matches numbers, which differ between seeds that are inconclusive for the same reason.
var figures = regexp.MustCompile(`[0-9][0-9.]*`)

// inconclusiveReason names the first check that could not be judged and why, with the numbers
// replaced by N.
func inconclusiveReason(v check.Verdict) string {
	for _, c := range v.Checks {
		if c.Verdict == check.Inconclusive {
			what, _, _ := strings.Cut(c.Detail, " at +") // when it was
			return c.Name + ": " + figures.ReplaceAllString(what, "N")
		}
	}
	return "no check says why"
}

// campaign is a running campaign.
type campaign struct {
	Options
	next atomic.Int64

	mu       sync.Mutex
	progress Progress
	reported time.Time
	began    time.Time
	err      error
}

// Run runs a campaign and returns its final progress. It ends early, without an error, when ctx is
// done.
func Run(ctx context.Context, o Options) (Progress, error) {
	if err := o.Validate(); err != nil {
		return Progress{}, err
	}
	if o.Shards == 0 {
		o.Shards = 1
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k := &campaign{Options: o, began: time.Now(), reported: time.Now()}
	k.progress.Reasons = map[string]int{}
	k.progress.Total = o.Total()
	var workers sync.WaitGroup
	for range o.Workers {
		workers.Go(func() { k.work(ctx, cancel) })
	}
	workers.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.report(true)
	return k.progress, k.err
}

// work runs seeds until there are none left.
func (k *campaign) work(ctx context.Context, cancel func()) {
	for ctx.Err() == nil {
		i := int(k.next.Add(1)) - 1
		if i >= k.progress.Total {
			return
		}
		seed := k.Start + uint64(i*k.Shards+k.Shard)
		c, err := Draw(seed, k.Unsafe)
		var r Result
		if err == nil {
			r, err = Execute(ctx, c)
		}
		if ctx.Err() != nil {
			return
		}
		if !k.take(r, err) {
			cancel()
		}
	}
}

// take records a result. It reports false when the campaign must end.
func (k *campaign) take(r Result, err error) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.err = errors.Join(k.err, err)
		return false
	}
	k.progress.Done++
	k.progress.Simulated += r.Simulated
	if r.Verdict.Verdict == check.Inconclusive {
		k.progress.Inconclusive++
		k.progress.Reasons[inconclusiveReason(r.Verdict)]++
	}
	if v, violated := ViolationOf(r); violated {
		k.progress.Violations++
		if k.Violated != nil {
			k.Violated(v)
		}
	}
	k.report(false)
	return k.MaxViolations == 0 || k.progress.Violations < k.MaxViolations
}

// report calls Progress, about once a second.
func (k *campaign) report(last bool) {
	now := time.Now()
	k.progress.Wall = now.Sub(k.began)
	if k.Progress != nil && (last || now.Sub(k.reported) >= time.Second) {
		k.reported = now
		k.Progress(k.progress)
	}
}
