package check

import (
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
	"baton/scenarios/capability"
)

// polled records a change of role that was found by polling.
func (t *tape) polled(at float64, node, from, to string, late time.Duration) {
	t.add(at, node, trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: from, To: to, Reason: "polled", Late: trace.Dur(late)}})
}

// TestPolledRoles: a polled role is reported after it changed. A failure that the delay may explain
// does not count; one that it cannot explain does.
func TestPolledRoles(t *testing.T) {
	for _, c := range []struct {
		name string
		late time.Duration
		want Outcome
	}{
		{"asked shortly before", 60 * time.Millisecond, Pass},
		{"known to the instant", 0, Fail},
		{"asked too late to explain it", 10 * time.Millisecond, Fail},
	} {
		for _, claim := range []string{"masters <= 1", "forwarders <= 1", "announce"} {
			tape := crash()
			tape.without(func(e trace.Event) bool { return e.Lease != nil || e.Announce != nil })
			(*tape)[0].Meta.Lacks = []string{capability.Lease, capability.Gates}
			tape.garp(4500, "lb1")
			tape.forwarder(4500, "lb1", "lb2", 4499)
			tape.polled(4550, "lb1", "Backup", "Master", c.late)
			tape.polled(4600, "lb2", "Master", "Backup", c.late)
			v := judged(scenario(t, "always "+claim, "", ""), tape)
			name, _, _ := strings.Cut(claim, " ")
			if got, _ := outcome(v, name); got != c.want {
				t.Errorf("%s: %s is %s, want %s\n%s", c.name, claim, got, c.want, show(v))
			}
		}
	}
}
