package bfdbench

import (
	"strings"
	"testing"
	"time"
)

func at(ms int, state uint8) arrival {
	return arrival{at: time.Duration(ms) * time.Millisecond, state: state}
}

// TestIntervalsCountOnlyWhileUp: an interval that begins or ends outside Up is the slow
// pace of a session coming up, not lateness.
func TestIntervalsCountOnlyWhileUp(t *testing.T) {
	const down, up = 1, 3
	var v Intervals
	v.add([]arrival{at(0, down), at(1000, up), at(1010, up), at(1019, up), at(1049, up), at(1050, down), at(2050, up), at(2058, up)})
	v.add([]arrival{at(0, up), at(8, up)}) // of another receiver: nothing lies between the two
	if v.Count() != 5 {
		t.Fatalf("%d intervals, want 5: %v", v.Count(), v.sorted)
	}
	if v.Max() != 30*time.Millisecond || v.Late(10*time.Millisecond) != 1 || v.Quantile(0.5) != 9*time.Millisecond {
		t.Errorf("max %v, %d late, median %v; want 30ms, 1, 9ms", v.Max(), v.Late(10*time.Millisecond), v.Quantile(0.5))
	}
	if (Intervals{}).Max() != 0 {
		t.Error("no intervals have a maximum")
	}
}

// TestOnlyTheNodesFlapsFail: the benchmark makes a promise about the nodes; FRR is only the
// yardstick.
func TestOnlyTheNodesFlapsFail(t *testing.T) {
	r := Result{FRR: "8.4.4", Rows: []Row{{Load: Idle, Who: nodesName}, {Load: Loaded, Who: "FRR bfdd", Flaps: 3}}}
	if !r.Held() {
		t.Error("FRR's flaps count")
	}
	r.Rows[0].Flaps = 1
	if r.Held() {
		t.Error("the nodes' flaps do not count")
	}
}

func TestOptionsThatMeasureNothingAreNamed(t *testing.T) {
	good := Options{Interval: 10 * time.Millisecond, DetectMult: 3, Duration: time.Minute, Loads: []string{Idle}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"interval":   func(o *Options) { o.Interval = 9 * time.Millisecond },
		"multiplier": func(o *Options) { o.DetectMult = 256 },
		"duration":   func(o *Options) { o.Duration = 0 },
		"load":       func(o *Options) { o.Loads = []string{"half"} },
	} {
		o := good
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
