package sim

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/evidence"
	"baton/scenarios/lab"
)

// TestTablesAreThoseOfTheLargestDamage: the first damage may be harmless in comparison.
func TestTablesAreThoseOfTheLargestDamage(t *testing.T) {
	o := settled(t)
	o.cfg.Evidence = true
	damage := func(resets int) clock.Instant {
		for range resets {
			o.record(trace.Event{At: o.now, Kind: trace.KindRST, RST: &trace.RST{Edge: lab.Clients}})
		}
		return o.now
	}
	damage(1)
	o.pass(t, time.Second)
	largest := damage(3)
	o.pass(t, time.Second)
	damage(2)
	o.pass(t, time.Second)
	store := evidence.NewStore(t.TempDir())
	ask := evidence.NewAsk(o.events, nil, evidence.DefaultLimit, "")
	if err := o.Evidence(store, ask); err != nil {
		t.Fatal(err)
	}
	tables := 0
	for _, f := range store.Manifest(ask).Files {
		if f.Kind == evidence.Table {
			tables++
			if f.Span.From != largest {
				t.Errorf("%s was read at %v, the largest damage began at %v", f.File, f.Span.From, largest)
			}
		}
	}
	if tables != 2 {
		t.Errorf("%d tables", tables)
	}
}
