package deferbench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"baton/impl/trace"
	"baton/netns"
	"baton/scenarios"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// Options configure a benchmark.
type Options struct {
	Rates    []int         // connections per second
	Duration time.Duration // of each measurement
	Baton    string        // path of the baton program
	Program  string        // path of the program whose -work flag calls Work
	// Progress, if set, is called with the current step.
	Progress func(string)
}

// settling is how long traffic flows before a measurement.
const settling = time.Second

// Validate rejects options with which nothing can be measured.
func (o Options) Validate() error {
	if len(o.Rates) == 0 {
		return errors.New("deferbench: no rate")
	}
	for _, rate := range o.Rates {
		if rate < 1 {
			return fmt.Errorf("deferbench: %d connections a second: want at least one", rate)
		}
	}
	if o.Duration < time.Second {
		return fmt.Errorf("deferbench: duration %v: want a second at least", o.Duration)
	}
	return nil
}

// Row is the result of one rate with or without deferral.
type Row struct {
	Rate     int
	Deferred bool
	// AnswerP50 and AnswerP99 are quantiles of the time from a connection's intended start to
	// its echo.
	AnswerP50, AnswerP99 time.Duration
	Failed               int // connections
	Stages               []Stages
	Floor                []time.Duration // TLS round trips; nil with deferral
	CPU                  time.Duration   // of both nodes while measured
}

// Result is the result of a benchmark.
type Result struct {
	Options
	Rows []Row
}

const pairPlan = `
scenario young-latency
topo     pair clients=2 backends=2
config   bfd.tx=50ms bfd.mult=3 timeouts.closed=1s timeouts.fin_wait=2s sync.defer=%s
service  web tcp 198.18.0.100:80
traffic  new connects tcp rate=%d/s
@0s      wait lb1 is Master and lb2 insync within 30s
@1s      end
`

// Run runs the benchmark. It always leaves nothing behind.
func Run(ctx context.Context, o Options) (Result, error) {
	result := Result{Options: o}
	if err := o.Validate(); err != nil {
		return result, err
	}
	for _, rate := range o.Rates {
		for _, deferred := range []bool{false, true} {
			row, err := o.measure(ctx, rate, deferred)
			if err != nil {
				return result, err
			}
			result.Rows = append(result.Rows, row)
		}
	}
	return result, nil
}

// measure measures one rate with or without deferral, with a pair of its own. Without,
// the TLS processes run beside it.
func (o Options) measure(ctx context.Context, rate int, deferred bool) (row Row, err error) {
	row = Row{Rate: rate, Deferred: deferred}
	setting := "none"
	if deferred {
		setting = "established"
	}
	o.tell(fmt.Sprintf("measuring %v of %d connections a second with sync.defer: %s", o.Duration, rate, setting))
	dir, err := os.MkdirTemp("", "deferbench-")
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p, err := plan.Parse("young-latency.scn", fmt.Appendf(nil, pairPlan, setting, rate))
	if err != nil {
		return row, err
	}
	recording := scenarios.NewRecording(p, plan.Netns)
	world := netns.NewWorld(p, netns.WorldConfig{Dir: dir, Baton: o.Baton, Recorder: recording})
	defer func() { err = errors.Join(err, world.Down(context.WithoutCancel(ctx))) }()
	if err := up(ctx, world, recording, p); err != nil {
		return row, err
	}
	heard, err := listenAll(world.Host(lab.Nodes()[0]))
	defer heard.close()
	if err != nil {
		return row, err
	}
	if err := world.StartTraffic(ctx); err != nil {
		return row, err
	}
	if err := world.Until(ctx, world.Now().Add(settling), nil); err != nil {
		return row, err
	}
	before, err := cpu(world)
	if err != nil {
		return row, err
	}
	heard.take()
	if deferred {
		err = world.Until(ctx, world.Now().Add(o.Duration), nil)
	} else {
		row.Floor, err = floor(ctx, world, o.Program, dir, rate, o.Duration)
	}
	if err != nil {
		return row, err
	}
	row.Stages = divide(heard.take())
	after, err := cpu(world)
	if err != nil {
		return row, err
	}
	row.CPU = after - before
	if err := world.StopTraffic(ctx); err != nil {
		return row, err
	}
	row.note(recording.Events())
	if len(row.Stages) == 0 || row.AnswerP50 == 0 {
		return row, fmt.Errorf("deferbench: %d SYN-ACKs seen and a median answer of %v: nothing was measured", len(row.Stages), row.AnswerP50)
	}
	return row, nil
}

// up starts the pair and waits until its BACKUP is in sync.
func up(ctx context.Context, world *netns.World, recording *scenarios.Recording, p *plan.Plan) error {
	if err := world.Up(ctx); err != nil {
		return err
	}
	wait, ready, state := p.Steps[0].Wait, false, ""
	err := world.Until(ctx, world.Now().Add(30*time.Second), func() bool {
		ready, state = recording.Holds(wait.Conds)
		return ready
	})
	if err == nil && !ready {
		err = fmt.Errorf("deferbench: the nodes do not come up: %s", state)
	}
	return err
}

// note takes the generator's own figures from its final totals.
func (r *Row) note(events []trace.Event) {
	for _, e := range events {
		if t := e.Totals; t != nil && t.Final {
			r.AnswerP50, r.AnswerP99, r.Failed = duration(t.RTTp50), duration(t.RTTp99), t.Failed
		}
	}
}

func duration(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

func (o Options) tell(what string) {
	if o.Progress != nil {
		o.Progress(what)
	}
}
