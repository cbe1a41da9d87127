package check

import (
	"testing"

	"baton/impl/trace"
	"baton/scenarios/capability"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// TestWhatACheckTells: the whole detail of a check, with its figures, names and examples.
func TestWhatACheckTells(t *testing.T) {
	lost := func(total int) func(*tape) {
		return func(t *tape) {
			t.add(4500, "client1", trace.Event{Kind: trace.KindTraffic, Traffic: &trace.Traffic{Name: "web", Flow: "client1#1",
				Event: trace.TrafficLost, Why: "reset by peer", Backend: "backend2"}})
			t.totals(6012, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 2, Lost: total, Sent: 100, Received: 100})
		}
	}
	unanswered := func(failed int) func(*tape) {
		return func(t *tape) {
			t.totals(6012, trace.Totals{Name: "two", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 4, Sent: 9, Received: 9})
			t.totals(6012, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 2, Failed: failed, Sent: 9, Received: 9})
		}
	}
	without := func(verb string) func(*tape) {
		return func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Fault != nil && e.Fault.Verb == verb && e.Fault.Phase == "receipt" })
		}
	}
	reset := func(x trace.RST) func(*tape) {
		return func(t *tape) {
			x.Edge, x.Flow = "backends", "tcp 198.18.1.101:4000>198.18.1.11:80"
			t.add(4500, "backend1", trace.Event{Kind: trace.KindRST, RST: &x})
		}
	}
	const run = " over +0.000s..+6.010s: "
	for _, test := range []struct {
		name, lines, check string
		edit               func(*tape)
		want               Outcome
		detail             string
	}{
		{"announcements", "always announce", plan.Announce, func(*tape) {}, Pass, "announce" + run + "4 announcements, each by a forwarding Master"},
		{"early announcements", "always announce", plan.Announce, func(t *tape) { t.announce(2153, "lb2") }, Fail,
			"announce" + run + "1 of 5 announcements too early: lb2 announced at +2.153s before it was Master, after crash lb1 at +2.000s"},
		{"losses without an event", "always lost == 0", "lost", lost(2), Fail,
			"lost == 0" + run + "actual 2: web/client1#1 at +4.500s (reset by peer) backend backend2, after restore lb1 at +4.000s; 1 only in the totals of the traffic"},
		{"losses that each have an event", "always lost == 0", "lost", lost(1), Fail,
			"lost == 0" + run + "actual 1: web/client1#1 at +4.500s (reset by peer) backend backend2, after restore lb1 at +4.000s"},
		{"sessions that were never established", "always unanswered == 0", "unanswered", unanswered(1), Fail, "unanswered == 0" + run + "actual 1: 1 of 3 of web"},
		{"sessions that were all established", "always unanswered == 0", "unanswered", unanswered(0), Pass, "unanswered == 0" + run + "actual 0"},
		{"answers", "", plan.CheckTraffic, func(*tape) {}, Pass, "web: sent 100, received 100; probe: sent 5000, received 4842"},
		{"a crash without a receipt", "", plan.CheckFaults, without(fault.Crash), Inconclusive, "crash lb1 at +2.000s: no receipt of lb1"},
		{"what is seen on the wire", "always forwarders <= 1", "forwarders", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil })
			(*t)[0].Meta.Lacks = []string{capability.Lease}
			t.forwarder(5900, "lb2", "lb2", 5899) // the end of the capture
		}, Pass, "forwarders <= 1" + run + "actual 1: as seen on the wire: lb1 from +0.310s at the clients edge; lb2 from +2.160s at the clients edge"},
		{"tables that were compared", "always kept", plan.Kept, func(t *tape) { t.entries(5000, "lb2", 2); t.entries(5500, "lb2", 3) }, Pass,
			"kept" + run + "2 reports, no table shrank below the open sessions"},
		{"a reset by the host that it was captured at", "always rst == 0", "rst", reset(trace.RST{Sender: "backend1", Origin: "backend1"}), Fail,
			"rst == 0" + run + "actual 1: tcp 198.18.1.101:4000>198.18.1.11:80 from backend1 at the backends edge at +4.500s"},
		{"a reset whose origin is not known", "always rst == 0", "rst", reset(trace.RST{Sender: "backend1"}), Fail,
			"rst == 0" + run + "actual 1: tcp 198.18.1.101:4000>198.18.1.11:80 from backend1 at the backends edge at +4.500s"},
	} {
		tape := crash()
		test.edit(tape)
		trace.Sort(*tape)
		lines := test.lines + "\ntraffic two sessions tcp count=4"
		if test.check == plan.CheckTraffic {
			lines = test.lines
		}
		if got, detail := outcome(judged(scenario(t, lines, "", ""), tape), test.check); got != test.want || detail != test.detail {
			t.Errorf("%s: %s %s\nwant %s %s", test.name, got, detail, test.want, test.detail)
		}
	}
}
