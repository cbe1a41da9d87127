package reports_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"baton/reports"
)

// What a report of benchRuns runs with benchEvents events in all may cost.
const (
	benchRuns   = 200
	benchEvents = 1_000_000
)

// corpus stores benchRuns runs, as the simulator leaves them: ten that were really
// made, of pairs with many sessions, each twenty times.
func corpus(b *testing.B) string {
	root := b.TempDir()
	const made = 10
	for i := range benchRuns {
		dir := filepath.Join(root, fmt.Sprintf("crash-master.%d", i+1))
		if i < made {
			simulateMany(b, dir, uint64(i+1), 1660)
		} else if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, fmt.Sprintf("crash-master.%d", i%made+1)))); err != nil {
			b.Fatal(err)
		}
	}
	return root
}

// BenchmarkReport: the whole way from stored runs to what is shown, judging included.
// The limits are 3 s and 300 MiB on two cores.
func BenchmarkReport(b *testing.B) {
	root := corpus(b)
	events, most := 0, 0
	for b.Loop() {
		s := reports.Build([]string{root}, nil)
		if len(s.Runs) != benchRuns || s.Events < benchEvents || len(s.Problems) > 0 || s.Outcome != "PASS" {
			b.Fatalf("%d runs, %d events, outcome %s, problems %v", len(s.Runs), s.Events, s.Outcome, s.Problems)
		}
		events = s.Events
		most = max(most, resident(b))
	}
	b.ReportMetric(float64(events), "events")
	b.ReportMetric(float64(most)/(1<<20), "MiB-peak")
}

// resident is the most memory that the process ever held.
func resident(b *testing.B) int {
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
