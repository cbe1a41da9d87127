package reports

import (
	"path/filepath"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/reports/timeline"
	"baton/scenarios/evidence"
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

// The packets of a page are those beside the RSTs of their own edge, each once.
func TestFramesBesideRSTs(t *testing.T) {
	start := clock.Instant(time.Second)
	var all []evidence.Frame
	for i := range 100 {
		all = append(all, evidence.Frame{At: start.Add(time.Duration(i) * time.Millisecond), Port: "clients/lb1"})
	}
	rsts := []timeline.RST{{At: 20_000, Edge: "backends"}, {At: 50_000, Edge: "clients"}, {At: 51_000, Edge: "clients"}}
	var got []timeline.At
	for _, f := range beside(all, rsts, "clients", start) {
		got = append(got, f.At/1000)
	}
	want := []timeline.At{46, 47, 48, 49, 50, 51, 52, 53, 54}
	if len(got) != len(want) {
		t.Fatalf("frames at %v ms, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("frames at %v ms, want %v", got, want)
		}
	}
}
