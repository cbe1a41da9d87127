package bfdbench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"baton/netns/peers"
	"baton/scenarios/lab"
)

// Options configure a benchmark.
type Options struct {
	Interval   time.Duration // of both directions; whole milliseconds, at least 10 (FRR's minimum)
	DetectMult int
	Duration   time.Duration // duration of each measurement
	Loads      []string      // Idle, Loaded, Polls
	Baton      string        // path of the baton program
	Program    string        // path of the program whose -work flag calls Work
	// Progress, if set, is called with the current step.
	Progress func(string)
}

// The loads.
const (
	Idle   = "idle"
	Loaded = "loaded"
	Polls  = "polls" // Polls flood one end of each session, with the peer's source address
)

// Validate rejects options with which nothing can be measured.
func (o Options) Validate() error {
	switch {
	case o.Interval < 10*time.Millisecond || o.Interval%time.Millisecond != 0:
		return fmt.Errorf("bfdbench: interval %v: want whole milliseconds, at least 10ms, which is FRR's least", o.Interval)
	case o.DetectMult < 2 || o.DetectMult > 255:
		return fmt.Errorf("bfdbench: multiplier %d: want 2 to 255, which is what FRR takes", o.DetectMult)
	case o.Duration < time.Second:
		return fmt.Errorf("bfdbench: duration %v: want a second at least", o.Duration)
	case len(o.Loads) == 0:
		return errors.New("bfdbench: no load: want idle, loaded or polls")
	}
	for _, l := range o.Loads {
		if l != Idle && l != Loaded && l != Polls {
			return fmt.Errorf("bfdbench: load %q: want idle, loaded or polls", l)
		}
	}
	return nil
}

// Row is the result of one implementation under one load.
type Row struct {
	Load, Who string
	Intervals Intervals // between packets without F
	Finals    int       // packets with F, which answer a Poll
	Flaps     int
}

// Result is the result of a benchmark.
type Result struct {
	Options
	Rows []Row
	// PacketsPerSecond is the dataplane's throughput while loaded, both directions
	// together.
	PacketsPerSecond float64
	// FRR is its version, or why it is missing from the table.
	FRR string
}

// nodesName is the name of the nodes in the table.
const nodesName = "baton node"

// subject is an implementation to be measured.
type subject struct {
	who  string
	taps []*listener // at both ends
	// attack is sent from the second end.
	attack attack
	flaps  func(context.Context) (int, error)
}

// Run runs the benchmark. It always leaves nothing behind.
func Run(ctx context.Context, o Options) (_ Result, err error) {
	result := Result{Options: o}
	if err := o.Validate(); err != nil {
		return result, err
	}
	dir, err := os.MkdirTemp("", "bfdbench-")
	if err != nil {
		return result, err
	}
	cleanup := context.WithoutCancel(ctx)
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	o.tell("starting the nodes")
	ours, err := startNodes(ctx, o, dir)
	if ours != nil {
		defer func() { err = errors.Join(err, ours.close(cleanup)) }()
	}
	if err != nil {
		return result, err
	}
	subjects := []*subject{{who: nodesName, flaps: ours.flaps}}
	for _, lb := range lab.Nodes() {
		host := ours.world.Host(lb)
		cable, _ := host.Interface(lab.Sync)
		t, err := listen(host, cable.Name)
		if err != nil {
			return result, err
		}
		defer t.close()
		subjects[0].taps = append(subjects[0].taps, t)
		subjects[0].attack = attack{host, cable.Name, cable.Addr.Addr()}
	}

	if missing := peers.MissingFRR(); missing != nil {
		result.FRR = "FRR is not in the table: " + missing.Error()
	} else {
		o.tell("starting FRR")
		frr, err := startFRR(ctx, o)
		defer func() { err = errors.Join(err, frr.close(cleanup)) }()
		if err != nil {
			return result, err
		}
		if result.FRR, err = frr.daemons[0].Version(ctx); err != nil {
			return result, err
		}
		if err := frr.await(ctx, o); err != nil {
			return result, err
		}
		s := &subject{who: "FRR bfdd", flaps: frr.flaps}
		subjects = append(subjects, s)
		for _, host := range frr.hosts {
			t, err := listen(host, frrLink)
			if err != nil {
				return result, err
			}
			defer t.close()
			s.taps = append(s.taps, t)
		}
		s.attack = attack{frr.hosts[1], frrLink, frrAddrs[1].Addr()}
	}
	for _, name := range o.Loads {
		if err := result.measure(ctx, name, ours, subjects); err != nil {
			return result, err
		}
	}
	return result, nil
}

// measure measures the subjects under a load and appends a row for each.
func (r *Result) measure(ctx context.Context, name string, ours *nodes, subjects []*subject) (err error) {
	if name != Idle {
		l, err := r.start(name, ours, subjects)
		defer func() { err = errors.Join(err, l.stop(context.WithoutCancel(ctx))) }()
		if err != nil {
			return err
		}
	}
	r.tell(fmt.Sprintf("measuring %v %s", r.Duration, name))
	before := make([]int, len(subjects))
	for i, s := range subjects {
		for _, t := range s.taps {
			t.take()
		}
		if before[i], err = s.flaps(ctx); err != nil {
			return err
		}
	}
	forwarded, err := ours.forwarded()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := pass(ctx, r.Duration); err != nil {
		return err
	}
	after, err := ours.forwarded()
	if err != nil {
		return err
	}
	if name == Loaded {
		r.PacketsPerSecond = float64(after-forwarded) / time.Since(began).Seconds()
	}
	for i, s := range subjects {
		flaps, err := s.flaps(ctx)
		if err != nil {
			return err
		}
		row := Row{Load: name, Who: s.who, Flaps: flaps - before[i]}
		for i, t := range s.taps {
			if arrived := t.take(); name != Polls || i == 1 { // under Polls only packets that arrive at the second end count
				own := slices.DeleteFunc(arrived, func(a arrival) bool { return a.final })
				row.Finals += len(arrived) - len(own)
				row.Intervals.add(own)
			}
		}
		r.Rows = append(r.Rows, row)
	}
	return nil
}

// start starts a load.
func (r *Result) start(name string, ours *nodes, subjects []*subject) (*load, error) {
	if name == Loaded {
		return startLoad(ours, r.Program)
	}
	attacks := make([]attack, len(subjects))
	for i, s := range subjects {
		attacks[i] = s.attack
	}
	return startPolls(attacks, r.Program)
}

func (o Options) tell(what string) {
	if o.Progress != nil {
		o.Progress(what)
	}
}

// Cores is the number of CPUs.
func (r Result) Cores() int { return runtime.NumCPU() }
