package explore

import (
	"context"
	"flag"
	"testing"
	"time"
)

var depth = flag.Int("depth", 5, "choices from a beginning")
var maxv = flag.Int("max", 0, "violations")
var faults = flag.Int("faults", 2, "faults of a way")

func TestDev(t *testing.T) {
	began := time.Now()
	r, err := Run(context.Background(), Options{Depth: *depth, Faults: *faults, Messages: 8, Flows: 2, MaxViolations: *maxv}, nil)
	took := time.Since(began)
	t.Logf("%+v %v %v in %v, %v", r.Progress, r.Complete, r.Levels, took, err)
	t.Logf("%v", r.Roles)
	for _, v := range r.Violations {
		t.Logf("%v\n%s", v, v.Scenario)
	}
}
