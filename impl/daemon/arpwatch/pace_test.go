package arpwatch

import (
	"net/netip"
	"testing"
	"time"
)

// TestClaimsAreReportedAtOnceAndThenTogether: the first at once, the others at the end of
// the interval, each counted once, separately for each VIP.
func TestClaimsAreReportedAtOnceAndThenTogether(t *testing.T) {
	one, two := netip.MustParseAddr("198.18.0.100"), netip.MustParseAddr("198.18.0.101")
	var p pacer
	now := time.Unix(100, 0)
	reports, counted := map[netip.Addr]int{}, map[netip.Addr]uint64{}
	step := func(vips ...netip.Addr) {
		for _, vip := range vips {
			p.add(Claim{VIP: vip, Link: "client0", Count: 1})
		}
		for _, c := range p.due(now) {
			reports[c.VIP]++
			counted[c.VIP] += c.Count
		}
	}
	step(one)
	if reports[one] != 1 {
		t.Fatal("the first claim was not reported at once")
	}
	for range 99 { // a hundred in a second
		now = now.Add(Every / 100)
		step(one)
	}
	if reports[one] != 1 || counted[one] != 1 {
		t.Errorf("%d reports of %d claims within the time between two", reports[one], counted[one])
	}
	if wait := p.wait(now); wait != Every/100 {
		t.Errorf("the next report is due in %v, want %v: a claim must not have the last word", wait, Every/100)
	}
	step(two)
	if reports[two] != 1 {
		t.Error("one VIP's claims keep another's from being reported")
	}
	now = now.Add(Every / 100)
	step()
	if reports[one] != 2 || counted[one] != 100 {
		t.Errorf("%d reports of %d claims, want 2 of 100", reports[one], counted[one])
	}
	if wait := p.wait(now); wait != idle {
		t.Errorf("nothing waits, and yet something is due in %v", wait)
	}
}
