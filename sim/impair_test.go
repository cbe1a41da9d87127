package sim

import (
	"slices"
	"testing"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// TestImpairmentsAffectOnlyTheirDirection: each verb impairs packets of its direction as stated, no packets
// of the other, and none after a heal.
func TestImpairmentsAffectOnlyTheirDirection(t *testing.T) {
	o := settled(t)
	const packets = 10_000
	type outcome struct{ copies, late, overtaken int }
	send := func(from, to uint8) (got outcome) {
		last := o.now
		for i := range packets {
			o.now = o.now.Add(time.Millisecond)
			c := o.cross(onClients, from, to, uint64(i), 100, ping)
			got.copies += c.copies
			for _, at := range c.at[:c.copies] {
				if at.Sub(o.now) > 4*time.Millisecond {
					got.late++
				}
				if at < last {
					got.overtaken++
				}
				last = at
			}
		}
		return got
	}
	near := func(got, want int) bool { return got >= want-packets/100 && got <= want+packets/100 }
	on := lab.Selector{From: "lb1", To: "lb2", Via: lab.Clients}
	for _, c := range []struct {
		fault plan.Fault
		want  outcome
	}{
		{plan.Fault{Verb: fault.Delay, Time: 5 * time.Millisecond}, outcome{packets, packets, 0}},
		{plan.Fault{Verb: fault.Duplicate, Share: 0.1}, outcome{packets * 11 / 10, 0, 0}},
		{plan.Fault{Verb: fault.Reorder, Share: 0.1}, outcome{packets, packets / 10, packets * 9 / 100}},
		{plan.Fault{Verb: fault.Corrupt, Share: 0.1}, outcome{packets * 9 / 10, 0, 0}}, // refused for their checksums
		{plan.Fault{Verb: fault.Delay, Time: 6 * time.Millisecond, Args: []plan.Arg{{Key: fault.KeyJitter, Value: "2ms"}}}, outcome{packets, packets, 0}},
		{plan.Fault{Verb: fault.Limit, Args: []plan.Arg{{Key: fault.KeyRate, Value: "400/s"}}}, outcome{packets / 3, 0, 0}},
		{plan.Fault{Verb: fault.Limit, Args: []plan.Arg{{Key: fault.KeyRate, Value: "400kbit"}, {Key: fault.KeyQueue, Value: "10ms"}}}, outcome{packets / 2, packets / 2, 0}},
		{plan.Fault{Verb: fault.Limit, Args: []plan.Arg{{Key: fault.KeyMTU, Value: "576"}}}, outcome{packets, 0, 0}}, // none is as long
	} {
		c.fault.On = &on
		if err := o.Do(t.Context(), c.fault); err != nil {
			t.Fatal(err)
		}
		if got := send(0, 1); !near(got.copies, c.want.copies) || !near(got.late, c.want.late) || !near(got.overtaken, c.want.overtaken) {
			t.Errorf("%s: %+v, want %+v", c.fault.Verb, got, c.want)
		}
		if got := send(1, 0); got != (outcome{packets, 0, 0}) {
			t.Errorf("%s: the other direction: %+v", c.fault.Verb, got)
		}
		if err := o.Do(t.Context(), plan.Fault{Verb: fault.Heal}); err != nil {
			t.Fatal(err)
		}
		if got := send(0, 1); got != (outcome{packets, 0, 0}) {
			t.Errorf("%s: after the heal: %+v", c.fault.Verb, got)
		}
	}
}

// TestADelayIsWhatIsStated: the median delay is the stated one, with an error below the delay of the
// lab's own links.
func TestADelayIsWhatIsStated(t *testing.T) {
	o := settled(t)
	on := lab.Selector{From: "lb1", To: "lb2", Via: lab.Clients}
	if err := o.Do(t.Context(), plan.Fault{Verb: fault.Delay, On: &on, Time: 10 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for i := range 10_000 {
		o.now = o.now.Add(time.Millisecond)
		took = append(took, o.cross(onClients, 0, 1, uint64(i), 100, ping).at[0].Sub(o.now))
	}
	slices.Sort(took)
	if median := took[len(took)/2]; median < 10*time.Millisecond || median > 10*time.Millisecond+delayMax+jitterMax {
		t.Errorf("%v at the median", median)
	}
}
