package check

import (
	"testing"
	"time"

	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

func TestLatencies(t *testing.T) {
	loseBoth := func(at float64) func(*tape) {
		return func(t *tape) {
			t.fault(at, fault.Crash, "lb2", "begin")
			t.fault(at+5, fault.Crash, "lb2", "receipt")
		}
	}
	tests := []struct {
		name    string
		edit    func(*tape)
		metrics map[string]float64 // -1 for absent
	}{
		{"from the fault's begin to the last path and to the role", func(*tape) {}, map[string]float64{"detect_ms": 149.9, "takeover_ms": 154.9, "handover_ms": -1}},
		{"the receipt bears the begin's instant, as in virtual time", func(t *tape) {
			for i, e := range *t {
				if e.Fault != nil && e.Fault.Verb == fault.Crash && e.Fault.Phase == "receipt" {
					(*t)[i].At = ms(2000.1)
				}
			}
		}, map[string]float64{"detect_ms": 149.9, "takeover_ms": 154.9}},
		{"a path that stays up is not a detection", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.BFD != nil && e.BFD.Path == "sync" && e.BFD.To == "Down" })
		}, map[string]float64{"detect_ms": -1, "takeover_ms": 154.9}},
		{"no path was up before", func(t *tape) {
			t.bfd(1500, "lb2", "sync", "Up", "Down", 0)
			t.bfd(1500, "lb2", "clients", "Up", "Down", 0)
		}, map[string]float64{"detect_ms": -1, "takeover_ms": 154.9}},
		{"a backend that is frozen or stopped is no MASTER", func(t *tape) {
			t.fault(5000, fault.Freeze, "backend1", "begin")
			t.fault(5100, fault.Stop, "backend1", "begin")
		}, map[string]float64{"detect_ms": 149.9, "takeover_ms": 154.9, "handover_ms": -1}},
		{"the survivor gives its table before it takes over", func(t *tape) {
			t.fault(5000, fault.Kill, "lb2", "begin")
			t.role(5050, "lb1", "Backup", "Yielding")
			t.promote(5220, "lb1", 9000)
		}, map[string]float64{"takeover_ms": 220}},
		{"a handover was asked for just before, and its receipt comes later", func(t *tape) {
			t.fault(1999, fault.Handover, "lb1", "begin")
			t.fault(2050, fault.Handover, "lb1", "receipt")
		}, map[string]float64{"detect_ms": 149.9, "takeover_ms": 154.9}},
		{"a path that was down before is not waited for", func(t *tape) {
			t.bfd(1500, "lb2", "sync", "Up", "Down", 0)
			t.without(func(e trace.Event) bool { return e.At == ms(2150) })
		}, map[string]float64{"detect_ms": 139.9}},
		{"what the lost node itself says of its paths is no detection", func(t *tape) {
			t.bfd(2010, "lb1", "clients", "Up", "Down", 0)
			t.bfd(2020, "lb1", "sync", "Up", "Down", 0)
		}, map[string]float64{"detect_ms": 149.9}},
		{"the survivor is lost a little later", loseBoth(2010), map[string]float64{"detect_ms": -1, "takeover_ms": -1}},
		{"the survivor was lost a little before", loseBoth(1999), map[string]float64{"detect_ms": -1, "takeover_ms": -1}},
		{"both are lost in one instant", loseBoth(2000.1), map[string]float64{"detect_ms": -1, "takeover_ms": -1}},
		{"the lost node takes its role again", func(t *tape) { t.role(2100, "lb1", "Claiming", "Master") }, map[string]float64{"takeover_ms": 154.9}},
		{"a handover that failed long before", func(t *tape) {
			t.fault(1000, fault.Handover, "lb1", "begin")
			t.role(1001, "lb1", "Master", "Yielding")
			t.role(1002, "lb1", "Yielding", "Master")
		}, map[string]float64{"detect_ms": 149.9, "takeover_ms": 154.9}},
		{"the stop of a Backup hands nothing over", func(t *tape) {
			t.fault(5000, fault.Stop, "lb1", "begin")
			t.role(5001, "lb2", "Master", "Backup")
			t.promote(5004, "lb2", 9000)
		}, map[string]float64{"handover_ms": -1}},
		{"the survivor was down already", loseBoth(1990), map[string]float64{"detect_ms": -1, "takeover_ms": -1}},
		{"the survivor was being stopped, and says so", func(t *tape) {
			t.fault(1999, fault.Stop, "lb2", "begin")
			t.bfd(2001, "lb2", "clients", "Up", "AdminDown", 0)
			t.bfd(2001, "lb2", "sync", "Up", "AdminDown", 0)
			t.fault(2500, fault.Stop, "lb2", "receipt")
		}, map[string]float64{"detect_ms": -1, "takeover_ms": -1}},
		{"the receipt of an earlier fault of the survivor comes late", func(t *tape) {
			t.fault(1500, fault.Thaw, "lb2", "begin")
			t.fault(2010, fault.Thaw, "lb2", "receipt")
		}, map[string]float64{"detect_ms": 149.9, "takeover_ms": 154.9}},
		{"a node that was frozen too shortly, and hands over later", func(t *tape) {
			t.fault(5000, fault.Freeze, "lb2", "begin")
			t.fault(5080, fault.Thaw, "lb2", "begin")
			t.fault(5900, fault.Handover, "lb2", "begin")
			t.role(5901, "lb2", "Master", "Yielding")
			t.promote(5904, "lb1", 9000)
			t.bfd(6500, "lb1", "sync", "Up", "Down", 0)
			t.bfd(6500, "lb1", "clients", "Up", "Down", 0)
		}, map[string]float64{"detect_ms": 149.9, "takeover_ms": 154.9, "handover_ms": 4}},
		{"a node that was frozen too shortly, and yields unasked", func(t *tape) {
			t.fault(5000, fault.Freeze, "lb2", "begin")
			t.fault(5080, fault.Thaw, "lb2", "begin")
			t.role(5901, "lb2", "Master", "Yielding")
			t.promote(5904, "lb1", 9000)
		}, map[string]float64{"takeover_ms": 154.9, "handover_ms": 3}},
		{"a node that was frozen too shortly, and does not say that it hands over", func(t *tape) {
			t.fault(5000, fault.Freeze, "lb2", "begin")
			t.fault(5080, fault.Thaw, "lb2", "begin")
			t.fault(5900, fault.Handover, "lb2", "begin")
			t.promote(5904, "lb1", 9000)
		}, map[string]float64{"takeover_ms": 154.9, "handover_ms": 4}},
		{"a role that returns by itself after a handover", func(t *tape) {
			t.fault(5000, fault.Handover, "lb2", "begin")
			t.role(5001, "lb2", "Master", "Yielding")
			t.promote(5004, "lb1", 9000)
			t.role(5500, "lb1", "Master", "Backup")
			t.promote(5600, "lb1", 9000)
		}, map[string]float64{"handover_ms": 4}},
		{"the loss of a Backup detects nothing", func(t *tape) {
			t.fault(5000, fault.Crash, "lb1", "begin")
			t.bfd(5500, "lb2", "sync", "Up", "Down", 0)
			t.bfd(5500, "lb2", "clients", "Up", "Down", 0)
		}, map[string]float64{"detect_ms": 149.9, "takeover_ms": 154.9}},
		{"the longest of several counts", func(t *tape) {
			t.fault(5000, fault.Kill, "lb2", "begin")
			t.bfd(5200, "lb1", "sync", "Up", "Down", 0)
			t.bfd(5210, "lb1", "clients", "Up", "Down", 0)
			t.promote(5220, "lb1", 9000)
		}, map[string]float64{"detect_ms": 210, "takeover_ms": 220}},
		{"a stop is a handover from its begin", func(t *tape) {
			t.fault(5000, fault.Stop, "lb2", "begin")
			t.role(5001, "lb2", "Master", "Yielding")
			t.promote(5004, "lb1", 9000)
		}, map[string]float64{"handover_ms": 4, "takeover_ms": 154.9}},
		{"a stop takes no node away", func(t *tape) {
			t.fault(5000, fault.Stop, "lb2", "begin")
			t.promote(5304, "lb1", 9000)
		}, map[string]float64{"handover_ms": 304, "takeover_ms": 154.9}},
		{"without a request it begins with Yielding", func(t *tape) {
			t.role(5001, "lb2", "Master", "Yielding")
			t.promote(5004, "lb1", 9000)
		}, map[string]float64{"handover_ms": 3}},
		{"the stop's receipt does not begin it anew", func(t *tape) {
			t.fault(5000, fault.Stop, "lb2", "begin")
			t.fault(5001, fault.Stop, "lb2", "receipt")
			t.role(5002, "lb2", "Master", "Yielding")
			t.promote(5004, "lb1", 9000)
		}, map[string]float64{"handover_ms": 4}},
		{"a fault of a link in the middle of it does not end it", func(t *tape) {
			t.role(5001, "lb2", "Master", "Yielding")
			t.fault(5002, fault.Cut, "lb2->backends", "begin")
			t.promote(5004, "lb1", 9000)
		}, map[string]float64{"handover_ms": 3}},
		{"the second begins with the second Yielding", func(t *tape) {
			t.role(4500, "lb2", "Master", "Yielding")
			t.role(4600, "lb2", "Claiming", "Master")
			t.role(5001, "lb2", "Master", "Yielding")
			t.promote(5004, "lb1", 9000)
		}, map[string]float64{"handover_ms": 3}},
		{"one that is taken back is none", func(t *tape) {
			t.role(5001, "lb2", "Master", "Yielding")
			t.role(5050, "lb2", "Claiming", "Master")
		}, map[string]float64{"handover_ms": -1}},
		{"a MASTER that fails hands nothing over", func(t *tape) {
			t.role(5001, "lb2", "Master", "Fault")
			t.promote(5004, "lb1", 9000)
		}, map[string]float64{"handover_ms": -1}},
		{"a crash in the middle of it is none", func(t *tape) {
			t.role(5001, "lb2", "Master", "Yielding")
			t.fault(5002, fault.Crash, "lb2", "begin")
			t.promote(5300, "lb1", 9000)
		}, map[string]float64{"handover_ms": -1}},
		{"sync counts after a restore", func(t *tape) { t.sync(4900, "lb1", "insync", 9, 120*time.Millisecond) },
			map[string]float64{"sync_ms": 120, "sync_entries": 9}},
		{"sync after another fault does not count", func(t *tape) { t.sync(3000, "lb2", "insync", 9, 120*time.Millisecond) },
			map[string]float64{"sync_ms": 80, "sync_entries": 2}},
		{"a report that repeats that it is in sync completes nothing", func(t *tape) { t.sync(4900, "lb1", "insync", 9, 0) },
			map[string]float64{"sync_ms": 80, "sync_entries": 2}},
		{"a phase before that completes nothing", func(t *tape) { t.sync(4900, "lb1", "live", 9, 120*time.Millisecond) },
			map[string]float64{"sync_ms": 80, "sync_entries": 2}},
		{"sync of before any restore does not count", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Sync != nil && e.At > ms(4000) })
		}, map[string]float64{"sync_ms": -1, "sync_entries": -1}},
		{"the lost node is restored before its peer takes over", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Node == "lb2" && e.Role != nil && e.At > ms(2000) })
			t.promote(4200, "lb2", 9000)
		}, map[string]float64{"takeover_ms": 2199.9}},
		{"a handover of the survivor is not one of the lost node", func(t *tape) {
			t.fault(2050, fault.Handover, "lb2", "begin")
			t.role(2060, "lb1", "Claiming", "Claiming")
		}, map[string]float64{"takeover_ms": -1}},
		{"a node that gives its table hands no role over", func(t *tape) {
			t.role(4300, "lb1", "Backup", "Yielding")
			t.role(4350, "lb2", "Master", "Backup")
			t.promote(4400, "lb2", 9000)
		}, map[string]float64{"handover_ms": -1}},
		{"nobody announces after the loss", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.GARP != nil && e.At > ms(2000) })
		}, map[string]float64{"unready_ms": -1}},
		{"all sessions are lost", func(t *tape) {
			for _, flow := range []string{"client1#0", "client1#1"} {
				t.traffic(2300, "web", flow, trace.TrafficLost, "reset by peer")
			}
		}, map[string]float64{"unready_ms": -1}},
		{"a session that moved had its answer", func(t *tape) {
			t.traffic(2300, "web", "client1#1", trace.TrafficMoved, "backend1, then backend2")
		}, map[string]float64{"unready_ms": 4.9}},
		{"from the announcement to the median session's answer", func(*tape) {}, map[string]float64{"unready_ms": 4.9}},
		{"the answer of the median of more sessions", func(t *tape) {
			for i, at := range []float64{2300, 2400, 2500} {
				t.gap("web", "client1#"+string(rune('2'+i)), 2000, at)
			}
		}, map[string]float64{"unready_ms": 144.9}},
		{"a session that stalls just after the announcement was interrupted", func(t *tape) { t.gap("web", "client1#2", 2200, 2900) },
			map[string]float64{"unready_ms": 44.9}},
		{"a session that stalls only later was not interrupted", func(t *tape) { t.gap("web", "client1#2", 2300, 2900) }, map[string]float64{"unready_ms": 4.9}},
		{"what happened before the loss does not count", func(t *tape) {
			t.garp(1000, "lb2")
			t.gap("web", "client1#1", 1800, 1900)
			t.traffic(1500, "web", "client1#1", trace.TrafficLost, "reset")
		}, map[string]float64{"unready_ms": 4.9}},
		{"nor does an announcement of the lost node", func(t *tape) { t.garp(2050, "lb1") }, map[string]float64{"unready_ms": 4.9}},
		{"an announcement to the backends attracts no client", func(t *tape) {
			t.add(2150, "lb2", trace.Event{Kind: trace.KindGARP, GARP: &trace.GARP{Edge: "backends", VIP: "198.18.1.100"}})
		}, map[string]float64{"unready_ms": 4.9}},
		{"a session that stalls again counts with its first answer", func(t *tape) { t.gap("web", "client1#1", 2180, 2900) },
			map[string]float64{"unready_ms": 4.9}},
		{"a session whose first answer is told last", func(t *tape) {
			t.add(2400, "client1", trace.Event{Kind: trace.KindGap, Gap: &trace.Gap{Name: "web", Flow: "client1#1", From: ms(1990), To: ms(2157)}})
		}, map[string]float64{"unready_ms": 1.9}},
		{"a session answered before the announcement waits for nothing", func(t *tape) {
			t.without(func(e trace.Event) bool {
				return e.Gap != nil && e.Gap.To != ms(2160) || e.GARP != nil && e.At > ms(2000)
			})
			t.garp(2161, "lb2")
		}, map[string]float64{"unready_ms": 0}},
		{"a session that was reset had no answer", func(t *tape) {
			t.traffic(2160, "web", "client1#1", trace.TrafficLost, "connection reset by peer")
		}, map[string]float64{"unready_ms": 44.9}},
		{"without an announcement there is no such time", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.GARP != nil })
		}, map[string]float64{"unready_ms": -1}},
		{"one forwarder after the other", func(*tape) {}, map[string]float64{"dual_ms": 0}},
		{"who has lost a VIP's packets carries them again", func(t *tape) {
			t.forwarder(2170, "lb1", "lb2", 2169)
			t.forwarder(2172, "lb2", "lb1", 2171)
			t.forwarder(2190, "lb1", "lb2", 2189)
		}, map[string]float64{"dual_ms": 30}},
		{"the end of the capture", func(t *tape) { t.forwarder(5000, "lb1", "lb1", 1999) }, map[string]float64{"dual_ms": 0}},
		{"a packet that was under way", func(t *tape) { t.forwarder(2160.5, "lb1", "lb2", 2160) }, map[string]float64{"dual_ms": 0}},
		{"a straggler long after counts as a lull", func(t *tape) { t.forwarder(3900, "lb1", "lb2", 3899) }, map[string]float64{"dual_ms": 100}},
		{"a path that went down and up again before the loss", func(t *tape) {
			t.bfd(1400, "lb2", "sync", "Up", "Down", 0)
			t.bfd(1500, "lb2", "sync", "Down", "Up", 0)
			t.bfd(2100, "lb2", "third", "Init", "Down", 0)
			t.bfd(2105, "lb2", "fourth", "Init", "Down", 0)
		}, map[string]float64{"detect_ms": 149.9}},
		{"who has become Master anew may", func(t *tape) {
			t.promote(5004, "lb1", 9000)
			t.forwarder(5010, "lb1", "lb2", 5003)
		}, map[string]float64{"dual_ms": 0}},
		{"nothing was carried", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Forwarder != nil })
		}, map[string]float64{"dual_ms": -1}},
		{"a gap after the restore", func(t *tape) { t.gap("probe", "client1#0", 4100, 4130) }, map[string]float64{"restore_gap_ms": 30}},
		{"a gap before it does not count", func(*tape) {}, map[string]float64{"restore_gap_ms": 0}},
		{"no restore", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Fault != nil && e.Fault.Verb == fault.Restore })
		}, map[string]float64{"restore_gap_ms": -1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tape := crash()
			test.edit(tape)
			v := judged(scenario(t, "", "", ""), tape)
			for name, want := range test.metrics {
				got, measured := v.Metrics[name]
				if measured != (want >= 0) || measured && got != want {
					t.Errorf("%s is %v (measured: %v), want %v\n%s", name, got, measured, want, show(v))
				}
			}
		})
	}
}

// TestTwoCarriersOverALinkThatDelays: a packet that was sent before the peer took over proves nothing,
// and neither does one of a node that claimed while the peer's first packet was under way.
func TestTwoCarriersOverALinkThatDelays(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*tape)
		want float64
	}{
		{"within the delay", func(t *tape) { t.forwarder(2165, "lb1", "lb2", 2164) }, 0},
		{"after it", func(t *tape) { t.forwarder(2168, "lb1", "lb2", 2167) }, 8},
		{"claimed within the delay", func(t *tape) {
			t.role(2158, "lb1", "Backup", "Claiming")
			t.forwarder(2190, "lb1", "lb2", 2189)
		}, 0},
		{"claimed before it", func(t *tape) {
			t.role(2150, "lb1", "Backup", "Claiming")
			t.forwarder(2190, "lb1", "lb2", 2189)
		}, 30},
	} {
		tape := crash()
		test.edit(tape)
		if got := judged(scenario(t, "chaos clients delay=6ms", "", ""), tape).Metrics["dual_ms"]; got != test.want {
			t.Errorf("%s: dual_ms is %v, want %v", test.name, got, test.want)
		}
	}
}

func TestStallsOfSessionsAreRankedOverAllSessions(t *testing.T) {
	tape := crash()
	tape.without(func(e trace.Event) bool { return e.Gap != nil })
	tape.totals(6012, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 100, Received: 9})
	for i := range 60 { // 60 of 100 stall, by 101 to 160 ms; some twice, where the longer counts
		tape.gap("web", "client1#"+string(rune('A'+i)), 2000, 2101+float64(i))
		tape.gap("web", "client1#"+string(rune('A'+i)), 3000, 3010)
	}
	v := judged(scenario(t, "", "", ""), tape)
	for name, want := range map[string]float64{"gap_tcp_p50_ms": 110, "gap_tcp_p99_ms": 159, "gap_tcp_max_ms": 160, "gap_udp_max_ms": 0} {
		if got := v.Metrics[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// TestStallsAreRankedOverTheSessionsOfAllLines: those without a stall count as 0, whatever their line.
func TestStallsAreRankedOverTheSessionsOfAllLines(t *testing.T) {
	tape := crash()
	tape.without(func(e trace.Event) bool { return e.Gap != nil })
	for i := range 10 {
		tape.gap("web", "client1#"+string(rune('A'+i)), 2000, 2101+float64(i))
	}
	for _, line := range []string{"web", "two"} {
		tape.totals(6012, trace.Totals{Name: line, Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 10, Received: 9})
	}
	v := judged(scenario(t, "traffic two sessions tcp count=10", "", ""), tape)
	if p50, most := v.Metrics["gap_tcp_p50_ms"], v.Metrics["gap_tcp_max_ms"]; p50 != 0 || most != 110 {
		t.Errorf("of 20 sessions 10 stall for 101 to 110 ms: the median is %v, the longest %v", p50, most)
	}
}
