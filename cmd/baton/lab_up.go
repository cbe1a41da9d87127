package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"text/tabwriter"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns"
	"baton/netns/subject"
	"baton/scenarios"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// labUp runs a pair until ctx ends.
func labUp(ctx context.Context, file, dir string, unsafe bool) (err error) {
	scenario, err := parseOne(file)
	if err != nil {
		return err
	}
	if err := (&runOptions{world: plan.Netns, allowUnsafe: unsafe}).prepare(scenario); err != nil {
		return err
	}
	if err := probeReal(); err != nil {
		return err
	}
	if _, err := readLab(dir); err == nil {
		return badInput("a lab runs in %s already; baton lab down ends it", dir)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := makeFolder("--dir", dir); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	under, err := subject.Named(scenario.Value(plan.Netns, "", plan.KeySubject))
	if err != nil {
		return badInput("subject: %w", err)
	}
	for i := range scenario.Traffic { // a lab has no timeline
		scenario.Traffic[i].From, scenario.Traffic[i].Until = 0, 0
	}
	recording := scenarios.NewRecording(scenario, plan.Netns)
	tell := &teller{master: make(chan struct{}), recording: recording}
	world := netns.NewWorld(scenario, netns.WorldConfig{Dir: dir, Baton: program, Subject: under, Recorder: tell,
		AllowUnsafe: unsafe || scenario.IsControl(plan.Netns)})
	defer func() {
		err = errors.Join(err, world.Down(context.WithoutCancel(ctx)), os.RemoveAll(filepath.Join(dir, labFile)))
	}()
	if err := world.Up(ctx); err != nil {
		return err
	}
	if err := openLab(ctx, dir, world, recording, scenario); err != nil {
		return err
	}
	select {
	case <-tell.master: // without a MASTER no session could be opened
	case <-ctx.Done():
		return nil
	}
	if err := world.StartTraffic(ctx); err != nil && ctx.Err() == nil { // a lab may be ended while its traffic starts
		return err
	}
	// A node may end while the user experiments: that is printed and the lab goes on.
	<-ctx.Done()
	return nil
}

// openLab gives other commands access to a running world until ctx ends, and prints how to use it.
func openLab(ctx context.Context, dir string, world *netns.World, recording *scenarios.Recording, p *plan.Plan) error {
	if err := serveLab(ctx, dir, world, recording, p); err != nil {
		return err
	}
	if err := writeLab(dir, runningLab{os.Getpid(), world.Namespaces()}); err != nil {
		return err
	}
	printNamespaces(dir, world.Namespaces())
	return nil
}

func printNamespaces(dir string, namespaces []netns.Namespace) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, d := range namespaces {
		fmt.Fprintf(table, "%s\tnsenter --net=%s\n", d.Host, d.Path)
	}
	for _, node := range lab.Nodes() {
		fmt.Fprintf(table, "%s\tbaton status %s\n", node, filepath.Join(dir, node+".sock"))
	}
	_ = table.Flush()
	fmt.Println("baton lab status shows it, baton lab fault breaks it, Ctrl-C ends it")
}

// teller prints the events of a pair that a user watches for.
type teller struct {
	mu     sync.Mutex
	start  clock.Instant
	master chan struct{} // closed once a node is Master
	seen   sync.Once

	recording *scenarios.Recording
}

// Record implements scenarios.Recorder.
func (t *teller) Record(e trace.Event) {
	t.recording.Record(e)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.start == 0 {
		t.start = e.At
	}
	at := fmt.Sprintf("%+.3fs", e.At.Sub(t.start).Seconds())
	switch {
	case e.Role != nil && e.Role.From != e.Role.To:
		fmt.Printf("%s %s is %s (was %s): %s\n", at, e.Node, e.Role.To, e.Role.From, e.Role.Reason)
		if e.Role.To == "Master" {
			t.seen.Do(func() { close(t.master) })
		}
	case e.BFD != nil:
		fmt.Printf("%s %s: path %s is %s (was %s)\n", at, e.Node, e.BFD.Path, e.BFD.To, e.BFD.From)
	case e.Traffic != nil && e.Traffic.Event == trace.TrafficLost:
		fmt.Printf("%s %s lost session %s: %s\n", at, e.Traffic.Name, e.Traffic.Flow, e.Traffic.Why)
	case e.Leak != nil:
		fmt.Printf("%s left behind: %s\n", at, e.Leak.What)
	}
}
