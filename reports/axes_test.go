package reports

import (
	"path/filepath"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/reports/timeline"
)

func TestLinksLeadFromTheReportToItsRuns(t *testing.T) {
	for _, test := range []struct{ from, to, want string }{
		{"out", "out/crash-master", "crash-master"},
		{"report", "out/crash-master", "../out/crash-master"},
		{"out/report", "out/report", "."},
		{filepath.Join(t.TempDir(), "a"), "", ""}, // the way out of a folder elsewhere exists
	} {
		got := between(test.from, test.to)
		if test.to == "" {
			if filepath.IsAbs(got) {
				t.Errorf("from %s to here: %s is no relative way", test.from, got)
			}
			continue
		}
		if got != test.want {
			t.Errorf("from %s to %s: %s, want %s", test.from, test.to, got, test.want)
		}
	}
}

// The packets of a page are those beside the first RSTs of the capture's own edge.
func TestShownRSTsAreTheFirstOfTheirEdge(t *testing.T) {
	start := clock.Instant(time.Second)
	rsts := []timeline.RST{{At: 10_000, Edge: "backends"}}
	for i := range 2 * framesOfRSTs {
		rsts = append(rsts, timeline.RST{At: timeline.At(20_000 + i), Edge: "clients"})
	}
	got := shownRSTs(rsts, "clients", start)
	if len(got) != framesOfRSTs || got[0] != start.Add(20*time.Millisecond) || got[1] != start.Add(20_001*time.Microsecond) {
		t.Errorf("%d instants, the first at %v", len(got), got[:2])
	}
}
