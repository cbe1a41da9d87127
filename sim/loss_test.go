package sim

import (
	"testing"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// TestWhichPacketsCutsAndLossesDrop: a cut drops all packets, a cut of the heartbeat only heartbeats, a loss its
// share. A heal of everything removes each of them.
func TestWhichPacketsCutsAndLossesDrop(t *testing.T) {
	o := settled(t)
	const packets = 100_000
	dropped := func(p lab.Packet) (n int) {
		for range packets {
			if o.drops(onClients, 0, 1, p) {
				n++
			}
		}
		return n
	}
	do := func(f plan.Fault) {
		t.Helper()
		if err := o.Do(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	on := lab.Selector{From: "lb1", To: "lb2", Via: lab.Clients}
	beats := on
	beats.Only = lab.BFD
	for _, c := range []struct {
		name          string
		fault         plan.Fault
		others, beats int
		tolerance     int
	}{
		{"cut", plan.Fault{Verb: fault.Cut, On: &on}, packets, packets, 0},
		{"cut bfd", plan.Fault{Verb: fault.Cut, On: &beats}, 0, packets, 0},
		{"lose", plan.Fault{Verb: fault.Lose, On: &on, Share: 0.05}, packets / 20, packets / 20, packets / 200},
		{"lose bfd", plan.Fault{Verb: fault.Lose, On: &beats, Share: 0.05}, 0, packets / 20, packets / 200},
	} {
		do(c.fault)
		if others, beats := dropped(ping), dropped(heartbeat); others < c.others-c.tolerance || others > c.others+c.tolerance ||
			beats < c.beats-c.tolerance || beats > c.beats+c.tolerance {
			t.Errorf("%s: %d and %d of the heartbeat dropped, want %d and %d", c.name, others, beats, c.others, c.beats)
		}
		do(plan.Fault{Verb: fault.Heal, On: &on})
		if n := dropped(heartbeat); n != 0 {
			t.Errorf("%s: %d dropped after the heal", c.name, n)
		}
	}
}
