package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
	"baton/scenarios/fault"
)

// TestWhenANodeWasMaster lists the stretches in which each node was MASTER.
func TestWhenANodeWasMaster(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*tape)
		want string
	}{
		{"one crashes, the other takes over", func(*tape) {}, "lb1 100-2000, lb2 2155-6011"},
		{"a refused change of role ends nothing", func(t *tape) {
			t.role(3000, "lb2", "Master", "Master")
			t.fault(5000, fault.Restore, "lb2", "begin") // without a word of how it ended
		}, "lb1 100-2000, lb2 2155-5000"},
		{"a BACKUP that crashes never was one", func(t *tape) {
			t.fault(5000, fault.Crash, "lb1", "begin")
			t.fault(5001, fault.Crash, "lb1", "receipt")
			t.sync(5100, "lb2", "lost", 2, 0)
		}, "lb1 100-2000, lb2 2155-6011"},
		{"a word that comes after a crash", func(t *tape) { t.role(2100, "lb1", "Claiming", "Master") }, "lb1 100-2000, lb2 2155-6011"},
		{"a process that ended by itself was MASTER until its last word", func(t *tape) {
			t.lease(4000, "lb2", 5000)
			t.add(4500, "lb2", trace.Event{Kind: trace.KindDied, Died: &trace.Died{Why: "exit status 2"}})
		}, "lb1 100-2000, lb2 2155-4300"}, // the replica of 4300 is its last
		{"a frozen process was MASTER until it was frozen", func(t *tape) {
			t.fault(5000, fault.Freeze, "lb2", "begin")
			t.fault(5010, fault.Freeze, "lb2", "receipt")
		}, "lb1 100-2000, lb2 2155-5000"},
		{"a polled role has ended when it was last seen", func(t *tape) { t.polled(5000, "lb2", "Master", "Backup", 50*time.Millisecond) }, "lb1 100-2000, lb2 2155-4950"},
	} {
		tape := crash()
		test.edit(tape)
		var got []string
		for _, m := range newRun(scenario(t, "", "", ""), *tape).mastership {
			got = append(got, fmt.Sprintf("%s %v-%v", m.node, m.from.Sub(origin).Milliseconds(), m.to.Sub(origin).Milliseconds()))
		}
		slices.Sort(got)
		if list := strings.Join(got, ", "); list != test.want {
			t.Errorf("%s: %s, want %s", test.name, list, test.want)
		}
	}
}
