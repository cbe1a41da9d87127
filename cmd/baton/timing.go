package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

// timing is a line that splits the time from an instant to the first traffic of a real run.
// The first traffic is the first open session or answered flow.
func timing(from clock.Instant, events []trace.Event) string {
	var lab, up, nodes, begins, first clock.Instant
	ready := map[string]bool{}
	for _, e := range events {
		switch {
		case e.Kind == trace.KindMeta:
			lab = e.At
		case e.Kind == trace.KindStep && up == 0:
			up = e.At
		case e.Kind == trace.KindRole && !ready[e.Node]:
			ready[e.Node], nodes = true, e.At
		case e.Kind == trace.KindStep && e.Step.Phase == "end" && first == 0:
			begins = e.At
		case e.Kind == trace.KindTraffic && e.Traffic.Event == trace.TrafficOpened && first == 0:
			first = e.At
		}
	}
	if first == 0 || !bothReady(ready) {
		return "timing: no session was opened, or a node did not come up"
	}
	ms := func(from, to clock.Instant) string {
		return strconv.FormatInt(max(0, to.Sub(from)).Round(time.Millisecond).Milliseconds(), 10)
	}
	return fmt.Sprintf("timing: first traffic %s ms after the start: command %s, network and processes %s, nodes ready %s, waits %s, opening %s",
		ms(from, first), ms(from, lab), ms(lab, up), ms(up, nodes), ms(nodes, begins), ms(begins, first))
}

func bothReady(ready map[string]bool) bool {
	for _, node := range lab.Nodes() {
		if !ready[node] {
			return false
		}
	}
	return true
}

// printTiming writes the line of a run.
func printTiming(out io.Writer, events []trace.Event) error {
	from, err := commandStart()
	if err == nil {
		_, err = fmt.Fprintln(out, "  "+timing(from, events))
	}
	return err
}

// ticks is USER_HZ: /proc counts times in units of 1/ticks second.
const ticks = 100

// commandStart is when this process was started, in units of 10 ms.
func commandStart() (clock.Instant, error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, err
	}
	_, behind, _ := strings.Cut(string(stat), ") ") // the name in brackets may contain spaces
	fields := strings.Fields(behind)
	const starttime = 22 - 3 // index in proc_pid_stat(5), counted after the name
	if len(fields) <= starttime {
		return 0, fmt.Errorf("/proc/self/stat has %d fields", len(fields))
	}
	n, err := strconv.ParseInt(fields[starttime], 10, 64)
	return clock.Instant(n * int64(time.Second) / ticks), err
}
