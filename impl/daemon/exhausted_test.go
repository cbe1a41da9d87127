package daemon

import (
	"slices"
	"testing"
	"time"

	"baton/impl/daemon/control"
	"baton/impl/flow"
)

// TestTheSourceWithTheMostFlowsIsNamed: a service that has run out of SNAT ports has its flows
// counted by source. Affinities and other services' flows do not count.
func TestTheSourceWithTheMostFlowsIsNamed(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	greedy, other := flow.IPv4(198, 18, 0, 12), flow.IPv4(198, 18, 0, 13)
	var entries []flow.Entry
	add := func(source flow.Addr, n int, edit func(*flow.Entry)) {
		for range n {
			e := entry(len(entries) + 1)
			e.Original.Src = source
			edit(&e)
			entries = append(entries, e)
		}
	}
	add(greedy, 3, func(*flow.Entry) {})
	add(other, 2, func(*flow.Entry) {})
	add(other, 5, func(e *flow.Entry) { e.Original.DstPort = 81 })
	add(other, 1, func(e *flow.Entry) { *e = flow.AffinityOf(e.Original, e.Reply.Src, 80) })
	if err := b.dp.Apply(entries); err != nil {
		t.Fatal(err)
	}
	b.dp.noPort = 7
	b.tick()
	const want = "service web: 7 new flows found no free SNAT port, and 198.18.0.12 has the most flows, 3: add addresses to snat_pool, widen snat_ports, or add backends"
	b.settle(t, "named", func() bool {
		s := control.Status{Services: []control.Service{{Name: "web", At: entryService.String()}}}
		b.refusals.describe(&s, time.Now())
		return slices.Contains(s.Alarms, want)
	})
}
