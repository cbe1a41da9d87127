package sim

import (
	"math"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/ha"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// outing is the outcome of twelve seconds under load with a crash in the middle.
type outing struct {
	*World
	events []trace.Event
	base   [2]clock.Instant // of the hosts' clocks, once they have booted
}

func (o *outing) Record(e trace.Event) { o.events = append(o.events, e) }

const load = `scenario outing
topo    pair clients=1 backends=2
config  bfd.tx=50ms bfd.rx=50ms bfd.mult=3 ha.hold=500ms
service web tcp 198.18.0.100:80 mode=fullnat
service dns udp 198.18.0.100:53 mode=fullnat
traffic web sessions tcp service=web count=50 every=100ms
traffic new connects tcp service=web rate=50/s
traffic probe probe udp service=dns rate=100/s
`

// out runs the load with a chaos line; an empty line is a world without chaos.
func out(t *testing.T, line string) *outing {
	t.Helper()
	p, err := plan.Parse("outing.scn", []byte(load+line+"\n@1s end\n"))
	if err != nil {
		t.Fatal(err)
	}
	o := &outing{}
	if o.World, err = NewWorld(p, Config{Seed: 1, Recorder: o}); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_ = o.Up(ctx)
	for i, p := range o.processes {
		o.base[i] = p.clock.base
	}
	o.pass(t, 3*time.Second)
	if err := o.StartTraffic(ctx); err != nil {
		t.Fatal(err)
	}
	o.pass(t, 3*time.Second)
	if err := o.Do(ctx, plan.Fault{Verb: fault.Crash, Hosts: []string{o.master()}}); err != nil {
		t.Fatal(err)
	}
	o.pass(t, 6*time.Second)
	if err := o.Down(ctx); err != nil {
		t.Fatal(err)
	}
	return o
}

// master returns the node that was last MASTER.
func (o *outing) master() string {
	name := "lb1"
	for _, e := range o.events {
		if e.Role != nil && e.Role.To == ha.Master.String() {
			name = e.Node
		}
	}
	return name
}

// count counts the events for which f holds.
func count(f func(e *trace.Event) bool) func(*outing) float64 {
	return func(o *outing) float64 {
		n := 0
		for i := range o.events {
			if f(&o.events[i]) {
				n++
			}
		}
		return float64(n)
	}
}

// largest is the largest value of the events.
func largest(value func(e *trace.Event) float64) func(*outing) float64 {
	return func(o *outing) float64 {
		worst := 0.0
		for i := range o.events {
			worst = max(worst, value(&o.events[i]))
		}
		return worst
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// noAnswer reports whether an event shows that the arbiter did not answer a node.
func noAnswer(e *trace.Event) bool {
	return e.Gate != nil && strings.Contains(e.Gate.Why, "the arbiter does not answer")
}

func unansweredAt(node string) func(*outing) float64 {
	return count(func(e *trace.Event) bool { return e.Node == node && noAnswer(e) })
}

// firstUnanswered is when, in milliseconds, a node first got no answer; 0 if that never happened.
func firstUnanswered(o *outing) float64 {
	for i := range o.events {
		if noAnswer(&o.events[i]) {
			return ms(o.events[i].At.Sub(0))
		}
	}
	return 0
}

// Observable effects of the chaos keys.
var (
	stalls     = count(func(e *trace.Event) bool { return e.Gap != nil && e.Gap.Proto == "tcp" })
	outages    = count(func(e *trace.Event) bool { return e.Gap != nil && e.Gap.Proto == "udp" })
	freezes    = count(func(e *trace.Event) bool { return e.Fault != nil && e.Fault.Verb == fault.Freeze })
	broken     = count(func(e *trace.Event) bool { return e.Sync != nil && e.Sync.Why == "connection reset by peer" })
	slowest    = largest(func(e *trace.Event) float64 { return tripOf(e, func(t *trace.Totals) float64 { return t.RTTMax }) })
	typical    = largest(func(e *trace.Event) float64 { return tripOf(e, func(t *trace.Totals) float64 { return t.RTTp50 }) })
	unusual    = largest(func(e *trace.Event) float64 { return tripOf(e, func(t *trace.Totals) float64 { return t.RTTp99 }) })
	announce   = count(func(e *trace.Event) bool { return e.GARP != nil })
	calmed     = count(func(e *trace.Event) bool { return e.Note == "chaos ends" })
	failed     = count(func(e *trace.Event) bool { return e.Sync != nil && strings.HasPrefix(e.Sync.Why, "apply failed") })
	flaps      = count(func(e *trace.Event) bool { return e.BFD != nil && e.BFD.From == "Up" })
	unread     = count(func(e *trace.Event) bool { return strings.HasPrefix(e.Note, "dataplane not read") })
	unanswered = count(noAnswer)
	deleted    = count(func(e *trace.Event) bool { return e.Note == "the arbiter's record is deleted" })
	refused    = count(func(e *trace.Event) bool { return strings.HasPrefix(e.Note, "lease refused") })
)

// tripOf measures the sessions' round trips before the crash, which would lengthen them.
func tripOf(e *trace.Event, value func(*trace.Totals) float64) float64 {
	if e.Totals == nil || e.Totals.Name != "web" || e.At > epoch.Add(6*time.Second) {
		return 0
	}
	return value(e.Totals)
}

// frames is how many packets reached the edges.
func frames(o *outing) float64 {
	n := 0.0
	for i := range o.events {
		if f := o.events[i].Forwarder; f != nil {
			n += float64(f.Frames)
		}
	}
	return n
}

// claim is the total time, in milliseconds, from a claim to MASTER.
func claim(o *outing) float64 {
	var from clock.Instant
	took := 0.0
	for _, e := range o.events {
		switch {
		case e.Role == nil || e.Role.From == e.Role.To:
		case e.Role.To == ha.Claiming.String():
			from = e.At
		case e.Role.To == ha.Master.String():
			took += ms(e.At.Sub(from))
		}
	}
	return took
}

// takeover is when, in milliseconds, a node last became MASTER.
func takeover(o *outing) float64 {
	last := 0.0
	for _, e := range o.events {
		if e.Role != nil && e.Role.To == ha.Master.String() {
			last = ms(e.At.Sub(epoch))
		}
	}
	return last
}

// firstSync is when, in milliseconds, the pair was first in sync.
func firstSync(o *outing) float64 {
	for _, e := range o.events {
		if e.Sync != nil && e.Sync.Phase == "insync" {
			return ms(e.At.Sub(epoch))
		}
	}
	return math.Inf(1)
}

// dropped is how many flow events the dataplanes have dropped because their buffer was full.
func dropped(o *outing) float64 { return float64(o.processes[0].lost + o.processes[1].lost) }

// stepped is how far, in milliseconds, the clocks of the running hosts have moved.
func stepped(o *outing) float64 {
	sum := 0.0
	for i, p := range o.processes {
		if p.powered {
			sum += ms(p.clock.base.Sub(o.base[i]))
		}
	}
	return sum
}

func drift(o *outing) float64 {
	return math.Max(math.Abs(float64(o.processes[0].clock.drift)), math.Abs(float64(o.processes[1].clock.drift)))
}

// TestEveryChaosTakesEffect: each key of a chaos line changes its documented effect by at least the
// stated amount, compared with a run without chaos. A key without a row is not tested.
func TestEveryChaosTakesEffect(t *testing.T) {
	rows := map[string]struct {
		line    string
		measure func(*outing) float64
		least   float64 // above the calm world's; below it if negative
	}{
		"loss":             {"chaos clients loss=0.05", stalls, 20},
		"duplicate":        {"chaos clients duplicate=0.5", frames, 500},
		"delay":            {"chaos backends delay=5ms", typical, 9},
		"jitter":           {"chaos backends delay=5ms jitter=5ms", unusual, 15},
		"reorder":          {"chaos clients reorder=0.05 holdback=20ms", slowest, 19},
		"holdback":         {"chaos clients reorder=0.05 holdback=40ms", slowest, 39},
		"burst.begin":      {"chaos clients burst.begin=0.01 burst.end=0.1 burst.loss=1", outages, 3},
		"burst.end":        {"chaos clients burst.begin=0.01 burst.end=0.01 burst.loss=1", outages, 10},
		"burst.loss":       {"chaos clients burst.begin=0.01 burst.end=0.1 burst.loss=0.7", stalls, 20},
		"corrupt":          {"chaos clients corrupt=0.05", stalls, 20},
		"wander":           {"chaos backends wander=5ms", slowest, 4},
		"apply.fail":       {"chaos apply.fail=0.2", failed, 5},
		"send.fail":        {"chaos send.fail=0.7", flaps, 5},
		"drain.fail":       {"chaos flow.events=1 drain.fail=0.5", unread, 3},
		"dump.fail":        {"chaos flow.events=1 dump.fail=0.5", unread, 3},
		"arbiter.fail":     {"config arbiter.validity=1s\nchaos arbiter.fail=1", unanswered, 1},
		"arbiter.fail.lb1": {"config lb2 ha.priority=200\nconfig arbiter.validity=1s\nchaos arbiter.fail.lb1=1", unansweredAt("lb1"), 1},
		"arbiter.fail.lb2": {"config arbiter.validity=1s\nchaos arbiter.fail.lb2=1", unansweredAt("lb2"), 1},
		"arbiter.from":     {"config arbiter.validity=1s\nchaos arbiter.fail=1 arbiter.from=5s", firstUnanswered, 5000},
		"arbiter.deleted":  {"config arbiter.validity=1s\nchaos arbiter.deleted=1s", deleted, 5},
		"arbiter.delay":    {"config arbiter.validity=1s\nchaos arbiter.delay=300ms", takeover, 30},
		"lease.fail":       {"chaos lease.fail=0.9", refused, 1},
		"slow":             {"chaos slow=1 slow.for=40ms", claim, 5},
		"slow.for":         {"chaos slow=1 slow.for=80ms", claim, 50},
		"garp.lost":        {"chaos garp.lost=1", announce, -8},
		"flow.events":      {"chaos flow.events=1", dropped, 1},
		"stream.break":     {"chaos stream.break=500ms", broken, 4},
		"stream.dial":      {"chaos stream.dial=5s", firstSync, 100},
		"stall":            {"chaos stall=1s stall.for=50ms", freezes, 5},
		"stall.for":        {"chaos stall=1s stall.for=400ms", outages, 1},
		"clock.step":       {"chaos clock.step=500ms clock.by=10ms", stepped, 5},
		"clock.by":         {"chaos clock.step=500ms clock.by=100ms", stepped, 50},
		"clock.drift":      {"chaos clock.drift=10000000", drift, 1_000_000},
		"until":            {"chaos stall=1s stall.for=10ms until=2s", calmed, 1},
	}
	calm := out(t, "")
	for _, key := range plan.ChaosKeys {
		row, ok := rows[key.Name]
		if !ok {
			t.Errorf("%s has no row", key.Name)
			continue
		}
		without, with := row.measure(calm), row.measure(out(t, row.line))
		if more := with - without; row.least > 0 && more < row.least || row.least < 0 && more > row.least {
			t.Errorf("%s: %.1f against %.1f in a calm world, want a difference of %.1f", row.line, with, without, row.least)
		}
	}
}

// TestLinksHaveTwoDirections: loss in one node's direction does not affect the other's: only one of
// the two receives its peer's heartbeats.
func TestLinksHaveTwoDirections(t *testing.T) {
	o := out(t, "chaos sync from lb1 loss=1")
	heard := func(node string) bool {
		return count(func(e *trace.Event) bool {
			return e.BFD != nil && e.BFD.Path == lab.Sync && e.Node == node && e.BFD.To != "Down"
		})(o) > 0
	}
	if !heard("lb1") || heard("lb2") {
		t.Errorf("heard on the sync link: by lb1 %v, by lb2 %v; want only by lb1", heard("lb1"), heard("lb2"))
	}
}
