// Command mutants plants the bugs of sim/mutants one at a time, runs the suite
// that must find each, and prints which check killed which mutant. It exits 1 if
// a mutant survives or no longer applies, or if a suite fails without a mutant.
//
//	go run ./sim/mutants/cmd/mutants              all of them (make mutants)
//	go run ./sim/mutants/cmd/mutants -v NAME...    some, with the messages of the checks
//
// With -suite, built with a mutant in it, it runs the simulator's suite and prints
// the first failure.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"baton/sim/mutants"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var c command
	flag.BoolVar(&c.suite, "suite", false, "run the simulator's suite in this binary")
	flag.IntVar(&c.extent.Seeds, "seeds", mutants.DefaultExtent.Seeds, "seeds for each scenario")
	flag.IntVar(&c.extent.Campaign, "campaign", mutants.DefaultExtent.Campaign, "seeds of the campaign")
	flag.IntVar(&c.workers, "workers", runtime.NumCPU()+1, "suites that run at once beside those that judge times")
	flag.DurationVar(&c.timeout, "timeout", 3*time.Minute, "time limit of a suite; a suite that takes longer is an error")
	flag.BoolVar(&c.baseline, "baseline", true, "also run the checks that kill mutants without a mutant")
	flag.BoolVar(&c.verbose, "v", false, "print the messages of the checks")
	flag.StringVar(&c.json, "json", "", "file for the results, as mutants.Results describes them; empty writes none")
	flag.StringVar(&c.first, "first", "", "with -suite: the case to run before the others")
	flag.StringVar(&c.hints, "hints", "sim/mutants/hints.txt", "file with the check that killed each mutant the last time, from the module's root; that check runs first")
	flag.BoolVar(&c.remember, "remember", false, "write the check that kills each mutant now to the file of hints")
	flag.Parse()
	ok, err := c.run(ctx, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

type command struct {
	suite, baseline, verbose bool
	extent                   mutants.Extent
	workers                  int
	timeout                  time.Duration
	json                     string
	first, hints             string
	remember                 bool
}

func (c *command) run(ctx context.Context, names []string) (ok bool, err error) {
	if c.suite {
		return suite(ctx, c.extent, c.first)
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return false, err
	}
	list, err := choose(root, names)
	if err != nil {
		return false, err
	}
	file := filepath.Join(root, c.hints)
	hints, err := mutants.LoadHints(file)
	if err != nil {
		return false, err
	}
	r := &mutants.Runner{Root: root, Extent: c.extent, Timeout: c.timeout, Hints: maps.Clone(hints), Workers: c.workers}
	began := time.Now()
	defer r.Close()
	if err := r.Build(ctx, list); err != nil {
		return false, err
	}
	mutants.Header(os.Stdout)
	kills := mutants.Hints{}
	results := mutants.Results{Version: mutants.ResultsVersion, Clean: true, Mutants: []mutants.Result{}}
	var bare, killed []mutants.Mutant // suites without a mutant come first
	if c.baseline {
		bare = mutants.Baselines(r.Hints.Narrow(r.Hints.Known(list)))
	}
	err = r.RunAll(ctx, append(bare, list...), func(o mutants.Outcome) {
		c.print(o)
		results.Add(o)
		hints.Note(o)
		kills.Note(o)
		// A test that fails without a mutant kills nothing.
		if i := slices.IndexFunc(list, func(m mutants.Mutant) bool { return m.Name == o.Name }); o.Kill != nil && i >= 0 {
			killed = append(killed, list[i])
		}
	})
	surprising := r.Hints.Surprising(killed, kills)
	if c.baseline && err == nil {
		err = r.RunAll(ctx, mutants.Baselines(kills.Narrow(surprising)), func(o mutants.Outcome) {
			c.print(o)
			results.Add(o)
		})
	}
	results.Seconds, results.Processor, results.Build = time.Since(began).Seconds(), processorTime().Seconds(), r.Shared().Seconds()
	if len(surprising) > 0 && !c.remember {
		fmt.Printf("%d mutants were killed by a check that %s does not name, which takes longer; -remember writes it there\n", len(surprising), c.hints)
	}
	results.Sum(os.Stdout)
	if c.json != "" {
		err = errors.Join(err, results.Store(c.json))
	}
	if c.remember {
		err = errors.Join(err, hints.Store(file))
	}
	return results.OK(), errors.Join(err, ctx.Err())
}

func (c *command) print(o mutants.Outcome) {
	o.Write(os.Stdout)
	if c.verbose && o.Kill != nil {
		fmt.Printf("    %s\n", o.Kill.Why)
	}
}

// suite runs the simulator's suite in this process.
func suite(ctx context.Context, extent mutants.Extent, first string) (bool, error) {
	kill, err := mutants.RunSuite(ctx, ".", extent, first, func(what string) { fmt.Println("began " + what) })
	if err != nil || kill == nil {
		return err == nil, err
	}
	said, err := json.Marshal(kill)
	fmt.Printf("failed %s\n", said)
	return false, err
}

// choose loads the named mutants, or all if none is named.
func choose(root string, names []string) ([]mutants.Mutant, error) {
	list, err := mutants.Load(filepath.Join(root, "sim", "mutants"))
	if err != nil || len(names) == 0 {
		return list, err
	}
	var chosen []mutants.Mutant
	for _, name := range names {
		i := slices.IndexFunc(list, func(m mutants.Mutant) bool { return m.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("mutants: no mutant %s", name)
		}
		chosen = append(chosen, list[i])
	}
	return chosen, nil
}

// processorTime returns the processor time of this process and its children.
func processorTime() (sum time.Duration) {
	for _, whose := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if syscall.Getrusage(whose, &used) == nil { // cannot fail for these two
			sum += time.Duration(used.Utime.Nano() + used.Stime.Nano())
		}
	}
	return sum
}

// moduleRoot returns the folder of the module.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("mutants: find the module's root: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
