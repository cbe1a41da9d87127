package netns

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"baton/impl/trace"
	"baton/netns/internal/hostclock"
	"baton/scenarios/evidence"
	"baton/scenarios/plan"
)

// programs are the programs that a scenario runs.
type programs struct {
	mu      sync.Mutex
	ended   bool
	stop    []context.CancelFunc // by program
	running sync.WaitGroup
}

// noProgram says why this machine cannot run the fault's program; "" if it can.
func noProgram(f plan.Fault) string {
	words, _ := f.Words()
	if _, err := exec.LookPath(words[0]); err != nil {
		return "this machine has no program " + words[0]
	}
	return ""
}

// run starts a program on a machine.
func (w *World) run(ctx context.Context, f plan.Fault) error {
	host := w.pair.Host(f.Hosts[0])
	began := trace.Fault{Verb: f.Verb, Target: f.Target(), Hosts: f.Hosts}
	return w.begin(ctx, began, func(context.Context) (string, error) {
		log := filepath.Join(w.cfg.Dir, evidence.LogFile(f.Name))
		if err := os.Remove(log); err != nil && !os.IsNotExist(err) {
			return "", noReceipt("run %s: %w", f.Name, err)
		}
		words, _ := f.Words()
		p, err := host.Start(ProcessConfig{Args: words, Contained: true, Dir: w.cfg.Dir, Log: log})
		if err != nil {
			return "", noReceipt("run %s: %w", f.Name, err)
		}
		w.follow(p, f, log)
		return fmt.Sprintf("process %d started", p.pid), nil
	})()
}

// follow waits for the end of a program in the background, kills it after its time, and
// records its result.
func (w *World) follow(p *Process, f plan.Fault, log string) {
	began := hostclock.Now()
	ctx, cancel := context.WithTimeout(context.Background(), f.Time)
	w.programs.add(cancel, func() {
		defer cancel()
		exit, err := p.Wait(ctx)
		why := exit.String()
		if err != nil {
			why = "killed at the end of the run"
			if context.Cause(ctx) == context.DeadlineExceeded {
				why = fmt.Sprintf("killed after its time limit of %s", f.Time)
			}
			dying, cancel := context.WithTimeout(context.Background(), receiptLimit)
			defer cancel()
			if exit, err = p.Kill(dying); err != nil {
				why = err.Error()
			}
		}
		at := hostclock.Now()
		output, cut := lastOutput(log)
		w.record(trace.Event{At: at, Node: p.host.name, Kind: trace.KindProgram, Program: &trace.Program{
			Name: f.Name, Exit: exit.status(), Why: why, Took: trace.Dur(at.Sub(began).Round(time.Microsecond)), Last: lastLine(log), Output: output, Cut: cut}})
	})
}

// lastOutput returns the end of a log, at most trace.OutputLimit bytes, and whether more
// came before.
func lastOutput(log string) (end string, cut bool) {
	b, err := os.ReadFile(log)
	if err != nil {
		return "", false
	}
	cut = len(b) > trace.OutputLimit
	return strings.ToValidUTF8(string(b[max(0, len(b)-trace.OutputLimit):]), "\uFFFD"), cut
}

func lastLine(log string) string {
	const longest = 200
	words := exitReason(log)
	return words[:min(len(words), longest)]
}

// status returns the exit status in the shell's convention.
func (e Exit) status() int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return e.Code
}

// add registers a started program.
func (p *programs) add(stop context.CancelFunc, follow func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		stop()
	}
	p.stop = append(p.stop, stop)
	p.running.Go(follow)
}

// end kills the running programs and waits until their results are recorded.
func (p *programs) end() {
	p.mu.Lock()
	p.ended = true
	for _, stop := range p.stop {
		stop()
	}
	p.mu.Unlock()
	p.running.Wait()
}
