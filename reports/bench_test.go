package reports_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/reports"
	"baton/reports/model"
	"baton/reports/page"
)

// Limits for a report of benchRuns runs, with up to benchEvents events in all, on two
// cores.
const (
	benchRuns   = 200
	benchEvents = 1_000_000
	timeLimit   = 3 * time.Second
	memoryLimit = 300 << 20
)

// BenchmarkReport measures the way from stored runs to the page, judging included: once
// for runs with many healthy sessions, and once for the worst case, runs in which every
// session was reset, with a capture each.
func BenchmarkReport(b *testing.B) {
	b.Run("passed", func(b *testing.B) {
		root := repeated(b, "crash-master", 10, func(dir string, seed uint64) { simulateMany(b, dir, seed, 1660) })
		events := 0
		measure(b, root, func(s reportOf) {
			if events = s.Events; events < benchEvents || s.Outcome != "PASS" {
				b.Fatalf("%d events, outcome %s", events, s.Outcome)
			}
		})
		b.ReportMetric(float64(events), "events")
	})
	b.Run("reset", func(b *testing.B) {
		root := repeated(b, "control-restored-master-preempts", 1, func(dir string, seed uint64) {
			simulate(b, dir, "control-restored-master-preempts", seed)
			captured(b, dir)
		})
		resets := 0.0
		measure(b, root, func(s reportOf) {
			resets = s.Runs[0].Metrics["rst"]
			if resets < 900 || len(s.Runs[0].Evidence) == 0 {
				b.Fatalf("%v RSTs, evidence %v", resets, s.Runs[0].Evidence)
			}
		})
		b.ReportMetric(resets, "RST/run")
	})
}

// repeated stores benchRuns runs. It simulates only some; the others are copies.
func repeated(b *testing.B, name string, made int, run func(dir string, seed uint64)) string {
	root := b.TempDir()
	dir := func(i int) string { return filepath.Join(root, fmt.Sprintf("%s.%d", name, i+1)) }
	for i := range benchRuns {
		if i < made {
			run(dir(i), uint64(i+1))
		} else if err := os.CopyFS(dir(i), os.DirFS(dir(i%made))); err != nil {
			b.Fatal(err)
		}
	}
	return root
}

// The cost of a report and the size of its page.
type reportOf struct {
	*model.Suite
	page int
}

// measure makes the report of a folder repeatedly and prints its costs beside their
// limits. Memory and size must keep their limits. Times are only printed: the elapsed
// time depends on what else the machine runs, the processor time does not.
func measure(b *testing.B, root string, check func(reportOf)) {
	forgetPeak(b)
	before := processorTime(b)
	for b.Loop() {
		var axes reports.Axes
		var html bytes.Buffer
		suite := reports.Build([]string{root}, axes.Visit)
		if err := axes.Write(&html, suite, root); err != nil {
			b.Fatal(err)
		}
		if len(suite.Runs) != benchRuns || len(suite.Problems) > 0 {
			b.Fatalf("%d runs, problems %v", len(suite.Runs), suite.Problems)
		}
		check(reportOf{suite, html.Len()})
		if most := peak(b); most > memoryLimit || html.Len() > page.Limit {
			b.Errorf("%d MiB of at most %d, a page of %d bytes of at most %d", most>>20, memoryLimit>>20, html.Len(), page.Limit)
		}
		b.ReportMetric(float64(peak(b))/(1<<20), "MiB-peak")
		b.ReportMetric(float64(html.Len())/(1<<20), "MiB-page")
	}
	took, busy := b.Elapsed()/time.Duration(b.N), (processorTime(b)-before)/time.Duration(b.N)
	b.ReportMetric(busy.Seconds(), "cpu-s/op")
	b.Logf("%v a report, of at most %v, with %v of processor time; %d MiB of at most %d", took.Round(time.Millisecond), timeLimit, busy.Round(time.Millisecond), peak(b)>>20, memoryLimit>>20)
}

// forgetPeak resets the peak of memory.
func forgetPeak(b *testing.B) {
	runtime.GC()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Skip(err)
	}
}

// peak is the peak of the process's memory since forgetPeak.
func peak(b *testing.B) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(status)) {
		if size, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(size)[0])
			if err != nil {
				b.Fatal(err)
			}
			return kib << 10
		}
	}
	b.Fatal("the kernel does not say how much memory was held")
	return 0
}

// processorTime is the time that the process has used on all processors.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
