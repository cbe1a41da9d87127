package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/capability"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// frozen is a run in which lb1, the Master, is frozen at 2000 and thawed at 4000. lb2 takes over at
// 2160, after lb1's lease expired at 2135. After the thaw lb1 gives up the role first.
func frozen() *tape {
	t := crash()
	t.without(func(e trace.Event) bool {
		return e.At > ms(2001) && e.Node == "lb1" || e.Fault != nil || e.Step != nil && e.At > ms(1000) && e.At < ms(5000) || e.Replica != nil
	})
	t.step(2000, fault.Freeze, "begin")
	t.fault(2000, fault.Freeze, "lb1", "begin")
	t.fault(2001, fault.Freeze, "lb1", "receipt")
	t.step(2001, fault.Freeze, "end")
	t.step(4000, fault.Thaw, "begin")
	t.fault(4000, fault.Thaw, "lb1", "begin")
	t.fault(4001, fault.Thaw, "lb1", "receipt")
	t.step(4001, fault.Thaw, "end")
	return t
}

func frozenPlan(t *testing.T, lines string) *plan.Plan {
	t.Helper()
	p, found := plan.Check("f.scn", []byte("scenario f\nservice web tcp 198.18.0.100:80\nservice dns udp 198.18.0.100:53\n"+
		"traffic web sessions tcp count=2 every=100ms\ntraffic probe probe udp\nalways "+lines+
		"\n@0s wait lb1 is Master and lb2 insync within 3s\n@2s freeze lb1\n@4s thaw lb1\n@6s end\n"))
	if errs := found.Errors(true); len(errs) > 0 {
		t.Fatal(errs)
	}
	return p
}

// outcome returns the worst outcome of a check, and its detail.
func outcome(v Verdict, name string) (Outcome, string) {
	worst, detail := Outcome("absent"), ""
	for _, c := range v.Checks {
		if c.Name == name && (worst == "absent" || worst == Pass) {
			worst, detail = c.Verdict, c.Detail
		}
	}
	return worst, detail
}

// failedAt returns when a check first failed, nil if it did not or has no time.
func failedAt(v Verdict, name string) *Span {
	for _, c := range v.Checks {
		if c.Name == name && c.Failed != nil {
			return c.Failed
		}
	}
	return nil
}

// Packets in flight at a takeover may arrive after it, for as long as the plan delays packets. They do
// not make their sender a forwarder again.
func TestStragglersAreNotForwarding(t *testing.T) {
	for _, test := range []struct {
		name, chaos string
		edit        func(*tape)
		want        Outcome
	}{
		{"within the delay", "chaos clients delay=6ms jitter=2ms\n", func(t *tape) { t.forwarder(2165, "lb1", "lb2", 2164) }, Pass},
		{"within the delay, but long after its lease", "chaos clients delay=6ms\n", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil && e.Lease.Until == ms(2150) })
			t.forwarder(2163, "lb1", "lb2", 2162)
		}, Fail},
		{"after the delay", "chaos clients delay=2ms jitter=1ms\n", func(t *tape) { t.forwarder(2165, "lb1", "lb2", 2164) }, Fail},
		{"longer than any delay", "chaos clients delay=400ms jitter=1ms\n", func(t *tape) { t.forwarder(2600, "lb1", "lb2", 2599) }, Fail},
		{"on a good link", "", func(t *tape) { t.forwarder(2165, "lb1", "lb2", 2164) }, Fail},
		{"delay on another link", "chaos backends delay=6ms\n", func(t *tape) { t.forwarder(2165, "lb1", "lb2", 2164) }, Fail},
		{"delay of the other node", "chaos clients from lb2 delay=6ms\n", func(t *tape) { t.forwarder(2165, "lb1", "lb2", 2164) }, Fail},
		{"the other goes on", "chaos clients delay=6ms\n", func(t *tape) {
			t.forwarder(2163, "lb1", "lb2", 2162)
			t.forwarder(2190, "lb2", "lb1", 2163)
		}, Pass},
		{"a claim while the other's packet is under way", "chaos clients delay=6ms\n", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.At > ms(2156) && (e.Node == "lb2" || e.Lease != nil) })
			t.lease(2157, "lb2", 2157)
			t.role(2157, "lb2", "Master", "Backup")
			t.promote(2159, "lb1", 2300)
			t.forwarder(2160, "lb2", "lb1", 2150)
			t.forwarder(2200, "lb1", "lb2", 2160)
		}, Pass},
		{"turn by turn", "chaos clients delay=6ms\n", func(t *tape) {
			t.forwarder(2163, "lb1", "lb2", 2162)
			t.forwarder(2164, "lb2", "lb1", 2163)
			t.forwarder(2168, "lb1", "lb2", 2167)
		}, Fail},
	} {
		t.Run(test.name, func(t *testing.T) {
			tape := frozen()
			tape.lease(1960, "lb1", 2150)
			test.edit(tape)
			v := judged(frozenPlan(t, "forwarders <= 1\n"+test.chaos), tape)
			if got, detail := outcome(v, "forwarders"); got != test.want {
				t.Errorf("forwarders is %s, want %s: %s", got, test.want, detail)
			}
		})
	}
}

// A node's packets must be covered by its lease, even if no other node takes over.
func TestForwardingWithoutALease(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*tape)
		want string
	}{
		{"the loser's last packet", func(t *tape) { t.forwarder(2300, "lb2", "lb1", 2250) }, "lb1 still carried the packets of the VIP at the clients edge at +2.250s; its lease ended at +2.004s"},
		{"the winner's first", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil && e.Node == "lb2" })
			t.lease(2154, "lb2", 2200)
			t.forwarder(2300, "lb2", "lb1", 1999)
		}, "lb2 carries the packets of the VIP at the clients edge at +2.300s; its lease ended at +2.200s"},
		{"the first of a node that never had one", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil && e.Node == "lb2" })
			t.forwarder(2160, "lb2", "lb1", 1999)
		}, "lb2 carries the packets of the VIP at the clients edge at +2.160s; it had no lease yet"},
		{"the last of a node that never had one", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil && e.Node == "lb1" })
			t.forwarder(2160, "lb2", "lb1", 1999)
		}, "lb1 carries the packets of the VIP at the clients edge at +0.310s; it had no lease yet"},
		{"the last of the run", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil && e.Node == "lb2" })
			t.lease(2154, "lb2", 2200)
			t.forwarder(2160, "lb2", "lb1", 1999)
			t.forwarder(5900, "lb2", "lb2", 5900)
		}, "lb2 still carried the packets of the VIP at the clients edge at +5.900s; its lease ended at +2.200s"},
	} {
		tape := crash()
		tape.without(func(e trace.Event) bool { return e.Forwarder != nil && e.Node == "lb2" })
		test.edit(tape)
		trace.Sort(*tape)
		if got, detail := outcome(judged(scenario(t, "always forwarders <= 1", "", ""), tape), "forwarders"); got != Fail || !strings.Contains(detail, test.want) {
			t.Errorf("%s: forwarders is %s: %s", test.name, got, detail)
		}
	}
}

// A lease covers a node's packets whatever role it reports, and a capture that ends after the lease
// says nothing about it.
func TestForwardingUnderALease(t *testing.T) {
	for name, edit := range map[string]func(*tape){
		"without the role": func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Role != nil && e.Node == "lb2" && e.At > ms(2000) })
		},
		"until before the capture ends": func(t *tape) {
			t.lease(3000, "lb2", 4000)
			t.forwarder(5900, "lb2", "lb2", 3999)
		},
	} {
		tape := crash()
		edit(tape)
		if got, detail := outcome(judged(scenario(t, "always forwarders <= 1", "", ""), tape), "forwarders"); got != Pass {
			t.Errorf("%s: forwarders is %s: %s", name, got, detail)
		}
	}
}

// A node that reports its role but no lease may carry packets for a moment after it has lost the role.
func TestForwardingWithoutTheRole(t *testing.T) {
	for _, test := range []struct {
		chaos string
		at    float64 // the role ends at 4500
		want  Outcome
	}{
		{"", 4520, Pass}, {"", 4522, Fail},
		{"chaos backends from lb2 delay=8ms\n", 4528, Pass}, {"chaos backends from lb2 delay=8ms\n", 4530, Fail},
	} {
		tape := crash()
		tape.without(func(e trace.Event) bool { return e.Lease != nil })
		(*tape)[0].Meta.Lacks = []string{capability.Lease}
		tape.role(4500, "lb2", "Master", "Backup")
		tape.add(test.at, "lb2", trace.Event{Kind: trace.KindForwarder, Forwarder: &trace.Forwarder{Edge: "backends"}})
		if got, detail := outcome(judged(scenario(t, test.chaos+"always forwarders <= 1", "", ""), tape), "forwarders"); got != test.want {
			t.Errorf("%sat +%vms: forwarders is %s, want %s: %s", test.chaos, test.at, got, test.want, detail)
		}
	}
	for began, want := range map[float64]Outcome{4521: Pass, 4523: Fail} { // it has carried a packet at 4501
		tape := crash()
		tape.without(func(e trace.Event) bool { return e.Lease != nil })
		(*tape)[0].Meta.Lacks = []string{capability.Lease}
		tape.role(4500, "lb2", "Master", "Backup")
		tape.add(4501, "lb1", trace.Event{Kind: trace.KindForwarder, Forwarder: &trace.Forwarder{Edge: "backends"}})
		tape.role(began, "lb1", "Backup", "Master")
		if got, detail := outcome(judged(scenario(t, "always forwarders <= 1", "", ""), tape), "forwarders"); got != want {
			t.Errorf("Master from +%vms on: forwarders is %s, want %s: %s", began, got, want, detail)
		}
	}
}

// To report a role again is not to claim it: the node may not carry the packets again that it
// has lost.
func TestARepeatedRoleIsNoClaim(t *testing.T) {
	tape := frozen()
	tape.without(func(e trace.Event) bool { return e.Lease != nil })
	(*tape)[0].Meta.Lacks = []string{capability.Lease}
	tape.role(4010, "lb1", "Master", "Master")
	tape.forwarder(4020, "lb1", "lb2", 4019)
	got, detail := outcome(judged(frozenPlan(t, "forwarders <= 1"), tape), "forwarders")
	if got != Fail || !strings.Contains(detail, "it lost them to lb2 at +2.160s and has not become Master since") {
		t.Errorf("forwarders is %s: %s", got, detail)
	}
}

// A packet is compared with the lease at the time it was sent: it is captured later by the delay that
// the plan adds to its sender's packets at that edge.
func TestAPacketThatIsUnderWayOutlivesItsLease(t *testing.T) {
	loser := func(t *tape) { t.forwarder(2300, "lb2", "lb1", 2029) } // its lease ends at 2004
	winner := func(t *tape) {
		t.without(func(e trace.Event) bool { return e.Lease != nil && e.Node == "lb2" })
		t.lease(2154, "lb2", 2200)
		t.forwarder(2225, "lb2", "lb1", 1999)
	}
	for _, test := range []struct {
		name, chaos string
		edit        func(*tape)
		want        Outcome
	}{
		{"the loser's last, on a good link", "", loser, Fail},
		{"the loser's last, delayed", "chaos clients from lb1 delay=10ms\n", loser, Pass},
		{"the loser's last, delayed too little", "chaos clients from lb1 delay=3ms\n", loser, Fail},
		{"the loser's last, while the winner's are delayed", "chaos clients from lb2 delay=10ms\n", loser, Fail},
		{"the loser's last, delayed at another edge", "chaos backends from lb1 delay=10ms\n", loser, Fail},
		{"the loser's last, delayed in another world", "[sim] chaos clients from lb1 delay=10ms\n", loser, Fail},
		{"the winner's first, on a good link", "", winner, Fail},
		{"the winner's first, delayed", "chaos clients from lb2 delay=10ms\n", winner, Pass},
		{"the winner's first, while the loser's are delayed", "chaos clients from lb1 delay=10ms\n", winner, Fail},
	} {
		tape := crash()
		tape.without(func(e trace.Event) bool { return e.Forwarder != nil && e.Node == "lb2" })
		test.edit(tape)
		trace.Sort(*tape)
		p := scenario(t, test.chaos+"always forwarders <= 1", "", "")
		if got, detail := outcome(judged(p, tape), "forwarders"); got != test.want {
			t.Errorf("%s: forwarders is %s, want %s: %s", test.name, got, test.want, detail)
		}
	}
}

func TestMastersAndForwardersUnderAFreeze(t *testing.T) {
	tests := []struct {
		name                string
		edit                func(*tape)
		masters, forwarders Outcome
		detail              string
	}{
		{name: "its first act is to give up the role", masters: Pass, forwarders: Pass, edit: func(t *tape) {
			t.bfd(4002, "lb1", "clients", "Up", "Down", 0)
			t.role(4002, "lb1", "Master", "Backup")
			t.lease(4002, "lb1", 4002)
		}},
		{name: "it says nothing at all", masters: Pass, forwarders: Pass, edit: func(*tape) {}},
		{name: "the freeze's receipt comes after the takeover", masters: Pass, forwarders: Pass, edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Fault != nil && e.At == ms(2001) })
			t.fault(2300, fault.Freeze, "lb1", "receipt")
		}},
		{name: "it goes on as Master", masters: Fail, forwarders: Pass, detail: "lb1 and lb2 Master from +4.002s to +4.050s, after thaw lb1 at +4.000s",
			edit: func(t *tape) {
				t.bfd(4002, "lb1", "clients", "Up", "Down", 0)
				t.role(4050, "lb1", "Master", "Backup")
			}},
		{name: "it renews an expired lease", masters: Pass, forwarders: Fail, detail: "lb1 and lb2 allowed to forward by its lease from +4.002s to +4.100s",
			edit: func(t *tape) {
				t.role(4002, "lb1", "Master", "Backup")
				t.lease(4002, "lb1", 4100)
			}},
		{name: "its lease outlives the claim of the other", masters: Pass, forwarders: Fail, detail: "lb1 and lb2 allowed to forward by its lease from +2.154s to +2.300s",
			edit: func(t *tape) { t.lease(1960, "lb1", 2300) }},
		{name: "its packets are seen after its lease", masters: Pass, forwarders: Fail, detail: "lb1 still carried the packets of the VIP at the clients edge at +3.900s; its lease ended at +2.085s",
			edit: func(t *tape) {
				t.without(func(e trace.Event) bool { return e.Forwarder != nil && e.Node == "lb2" })
				t.forwarder(3950, "lb2", "lb1", 3900)
			}},
		{name: "it carries packets again without a claim", masters: Pass, forwarders: Fail, detail: "lb1 carries the packets of the VIP at the clients edge again at +4.020s; it lost them to lb2 at +2.160s and has not become Master since",
			edit: func(t *tape) { t.forwarder(4020, "lb1", "lb2", 4019) }},
		{name: "it goes on as Master for less than the unit of times", masters: Fail, forwarders: Pass, detail: "lb1 and lb2 Master for 300µs at +4.002s, after thaw lb1 at +4.000s",
			edit: func(t *tape) {
				t.bfd(4002, "lb1", "clients", "Up", "Down", 0)
				t.role(4002.3, "lb1", "Master", "Backup")
			}},
		{name: "it carries packets again after it has become Backup", masters: Pass, forwarders: Fail, detail: "it lost them to lb2 at +2.160s and has not become Master since",
			edit: func(t *tape) {
				t.role(4002, "lb1", "Master", "Backup")
				t.forwarder(4020, "lb1", "lb2", 4019)
			}},
		{name: "it carries packets again before its claim", masters: Pass, forwarders: Fail, detail: "lb1 carries the packets of the VIP at the clients edge again at +4.800s",
			edit: func(t *tape) {
				t.role(4002, "lb1", "Master", "Backup")
				t.forwarder(4800, "lb1", "lb2", 4799)
				t.role(4900, "lb2", "Master", "Yielding")
				t.lease(4900, "lb2", 4900)
				t.promote(5000, "lb1", 9000)
			}},
		{name: "it carries packets again while it claims", masters: Pass, forwarders: Pass,
			edit: func(t *tape) {
				t.role(4900, "lb2", "Master", "Yielding")
				t.lease(4900, "lb2", 4900)
				t.role(4902, "lb1", "Master", "Backup")
				t.role(5000, "lb1", "Backup", "Claiming")
				t.lease(5000, "lb1", 9000)
				t.forwarder(5002, "lb1", "lb2", 4899)
			}},
		{name: "it carries packets again after a claim of its own", masters: Pass, forwarders: Pass,
			edit: func(t *tape) {
				t.role(4900, "lb2", "Master", "Yielding")
				t.lease(4900, "lb2", 4900)
				t.role(4902, "lb1", "Master", "Backup")
				t.promote(5000, "lb1", 9000)
				t.forwarder(5005, "lb1", "lb2", 4899)
			}},
		{name: "its own claim covers no packets after it has lost them again", masters: Pass, forwarders: Fail,
			detail: "lb1 carries the packets of the VIP at the clients edge again at +5.800s; it lost them to lb2 at +5.505s and has not become Master since",
			edit: func(t *tape) {
				t.role(4002, "lb1", "Master", "Backup")
				t.over(5000, "lb2", "lb1")
				t.forwarder(5005, "lb1", "lb2", 4899)
				t.over(5500, "lb1", "lb2")
				t.forwarder(5505, "lb2", "lb1", 5490)
				t.forwarder(5800, "lb1", "lb2", 5799)
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tape := frozen()
			test.edit(tape)
			v := judged(frozenPlan(t, "masters <= 1 ; forwarders <= 1"), tape)
			for name, want := range map[string]Outcome{"masters": test.masters, "forwarders": test.forwarders} {
				got, detail := outcome(v, name)
				if got != want {
					t.Errorf("%s is %s, want %s\n%s", name, got, want, show(v))
				}
				if want == Fail && !strings.Contains(detail, test.detail) {
					t.Errorf("%s says %q, want %q in it", name, detail, test.detail)
				}
			}
		})
	}
}

// relayUntil changes when the tape's relays end.
func (t *tape) relayUntil(at clock.Instant) {
	for i := range *t {
		if l := (*t)[i].Lease; l != nil && l.Relay != 0 {
			l.Relay = at
		}
	}
}

// During a handover a node may carry packets that its peer relays to it, without its own lease. No
// other node may, and not before or after.
func TestRelayedPacketsAreDecidedOnByTheNodeThatYields(t *testing.T) {
	for _, test := range []struct {
		name, chaos string
		edit        func(*tape)
		want        Outcome
		detail      string
	}{
		{"relayed until the claim", "", func(*tape) {}, Pass, ""},
		{"not relayed", "", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil && e.Lease.Relay != 0 })
			t.lease(4900, "lb1", 4900)
		}, Fail, "lb2 carries the packets of the VIP at the clients edge at +4.910s"},
		{"in flight as the relay ends", "", func(t *tape) { t.relayUntil(ms(4910).Add(-500 * time.Microsecond)) }, Pass, ""},
		{"sent after the relay has ended", "", func(t *tape) { t.relayUntil(ms(4908)) }, Fail, "lb2 carries the packets of the VIP at the clients edge at +4.910s"},
		{"before the lease was released", "", func(t *tape) { t.forwarder(4890, "lb2", "lb1", 4889) }, Fail, "lb2 carries the packets of the VIP at the clients edge at +4.890s"},
		{"after the relay has ended", "", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil && e.Node == "lb2" && e.At > ms(4900) })
			t.forwarder(5800, "lb2", "lb2", 5800)
		}, Fail, "lb2 still carried the packets of the VIP at the clients edge at +5.800s"},
		{"sent before the relay has ended, and long under way", "chaos clients from lb2 delay=6ms\n", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil && e.Node == "lb2" && e.At > ms(4900) })
			t.forwarder(5405, "lb2", "lb2", 5405)
		}, Pass, ""},
		{"the node that relays forwards beside its peer", "", func(t *tape) { t.forwarder(4920, "lb1", "lb2", 4919) }, Fail, "lb1 carries the packets of the VIP at the clients edge again at +4.920s"},
		{"its programs are gone", "", func(t *tape) { t.fault(4905, fault.Crash, "lb1", "receipt") }, Fail, "lb2 carries the packets of the VIP at the clients edge at +4.910s"},
	} {
		tape := frozen()
		tape.without(func(e trace.Event) bool { return e.At > ms(1990) && e.Node != "" || e.Fault != nil })
		tape.lease(10, "lb2", 50)
		tape.lease(1991, "lb1", 9000)
		tape.role(4900, "lb1", "Master", "Yielding")
		tape.add(4900, "lb1", trace.Event{Kind: trace.KindLease, Lease: &trace.Lease{Until: ms(4900), Relay: ms(5400)}})
		tape.forwarder(4910, "lb2", "lb1", 4899)
		tape.promote(5000, "lb2", 9000)
		test.edit(tape)
		trace.Sort(*tape)
		got, detail := outcome(judged(frozenPlan(t, "forwarders <= 1\n"+test.chaos), tape), "forwarders")
		if got != test.want || !strings.Contains(detail, test.detail) {
			t.Errorf("%s: forwarders is %s, want %s: %s", test.name, got, test.want, detail)
		}
	}
}

// A lease ends with the programs: when the process ends or the host loses power. If the programs are
// pinned, it lasts until its expiry after the process ends.
func TestAPinnedLeaseOutlivesItsProcess(t *testing.T) {
	for _, test := range []struct {
		pins, verb string
		want       Outcome
	}{
		{"config pin=off", fault.Kill, Pass},
		{"config pin=on", fault.Kill, Fail},
		{"config pin=on", fault.Crash, Pass},
		{"config pin=off\n[netns] config lb1 pin=on", fault.Kill, Fail},
		{"config pin=off\nconfig lb2 pin=on", fault.Kill, Pass},
		{"[netns] config pin=off\n[sim] config pin=on", fault.Kill, Pass},
	} {
		tape := crash()
		tape.lease(1990, "lb1", 2300) // longer than it takes lb2 to claim
		trace.Sort(*tape)
		for i, e := range *tape {
			if e.Fault != nil && e.Fault.Verb == fault.Crash {
				struck := *e.Fault
				struck.Verb = test.verb
				(*tape)[i].Fault = &struck
			}
		}
		p := scenario(t, test.pins+"\nalways forwarders <= 1", "", "")
		if got, detail := outcome(judged(p, tape), "forwarders"); got != test.want {
			t.Errorf("%q, %s: forwarders is %s, want %s: %s", test.pins, test.verb, got, test.want, detail)
		}
	}
}

func TestMastersUnderACrash(t *testing.T) {
	tests := []struct {
		name string
		edit func(*tape)
		want Outcome
	}{
		{"a crashed Master is none", func(*tape) {}, Pass},
		{"a peer that claims before the crash", func(t *tape) { t.role(1999, "lb2", "Backup", "Master") }, Fail},
		{"a peer that claims while the dying node still speaks", func(t *tape) {
			t.role(2001, "lb2", "Backup", "Master")
			t.lease(2003, "lb1", 2090)
		}, Fail},
		{"a receipt that comes after the takeover", func(t *tape) {
			t.without(func(e trace.Event) bool {
				return e.Fault != nil && e.Fault.Verb == fault.Crash && e.Fault.Phase == "receipt"
			})
			t.fault(2300, fault.Crash, "lb1", "receipt")
			t.without(func(e trace.Event) bool {
				return e.Step != nil && e.Step.Text == fault.Crash && e.Step.Phase == "end"
			})
			t.step(2300, fault.Crash, "end")
		}, Pass},
		{"a receipt that comes after the takeover, and frames that are seen before it", func(t *tape) {
			t.without(func(e trace.Event) bool {
				return e.Fault != nil && e.Fault.Verb == fault.Crash && e.Fault.Phase == "receipt"
			})
			t.forwarder(2250, "lb1", "lb1", 1999)
			t.fault(2300, fault.Crash, "lb1", "receipt")
		}, Pass},
		{"a restored node that seizes the role", func(t *tape) { t.role(4500, "lb1", "Backup", "Master") }, Fail},
		{"a swap in one instant", func(t *tape) {
			t.role(4500, "lb2", "Master", "Backup")
			t.role(4500, "lb1", "Backup", "Master")
		}, Pass},
		{"two Masters until one is killed and restored in one instant", func(t *tape) {
			t.role(4500, "lb1", "Backup", "Master")
			t.bfd(4900, "lb1", "sync", "Up", "Up", 0)
			t.struck(5000, fault.Kill, "lb1")
			t.fault(5000, fault.Restore, "lb1", "begin")
		}, Fail},
		{"two Masters until one ends by itself", func(t *tape) {
			t.role(4500, "lb1", "Backup", "Master")
			t.bfd(4900, "lb1", "sync", "Up", "Up", 0)
			t.add(5000, "lb1", trace.Event{Kind: trace.KindDied, Died: &trace.Died{Why: "panic: no"}})
		}, Fail},
		{"two Masters until one is restored that was not seen to end", func(t *tape) {
			t.role(4500, "lb1", "Backup", "Master")
			t.fault(5000, fault.Restore, "lb1", "begin")
		}, Fail},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tape := crash()
			test.edit(tape)
			v := judged(scenario(t, "always masters <= 1", "", ""), tape)
			if got, _ := outcome(v, "masters"); got != test.want {
				t.Errorf("masters is %s, want %s\n%s", got, test.want, show(v))
			}
		})
	}
}

func TestALowerBoundOnMastersSeesTheTakeover(t *testing.T) {
	v := judged(scenario(t, "", "  expect masters >= 1 throughout 1s", ""), crash())
	if got, detail := outcome(v, "masters"); got != Fail || !strings.Contains(detail, "nobody Master from +2.000s to +2.155s") {
		t.Errorf("masters >= 1 is %s: %s", got, detail)
	}
}

func TestGates(t *testing.T) {
	tests := []struct {
		name   string
		edit   func(*tape)
		want   Outcome
		detail string
	}{
		{"all were open", func(*tape) {}, Pass, "2 claims"},
		{"granted by the Master", func(t *tape) { t.role(5000, "lb1", "Backup", "Claiming", "LinksUp", "DataplaneReady", "Granted") }, Pass, "3 claims"},
		{"a handover that failed is taken back", func(t *tape) { t.role(5000, "lb2", "Yielding", "Claiming", "LinksUp") }, Pass, "2 claims"},
		{"a claim that is told again", func(t *tape) { t.role(5000, "lb1", "Claiming", "Claiming", "LinksUp") }, Pass, "2 claims"},
		{"without the recovery delay", func(t *tape) {
			t.role(5000, "lb1", "Backup", "Claiming", "LinksUp", "DataplaneReady", "NoMaster", "InSync")
		}, Fail, "with HoldDown closed"},
		{"without its table", func(t *tape) {
			t.role(5000, "lb1", "Backup", "Claiming", "LinksUp", "DataplaneReady", "NoMaster", "HoldDown")
		}, Fail, "with InSync closed"},
		{"knowingly degraded", func(t *tape) {
			t.role(5000, "lb1", "Backup", "Claiming", "LinksUp", "DataplaneReady", "NoMaster", "HoldDown", "Degraded")
			(*t)[len(*t)-1].Role.Degraded = true
		}, Pass, ""},
		{"degraded without saying so", func(t *tape) {
			t.role(5000, "lb1", "Backup", "Claiming", "LinksUp", "DataplaneReady", "NoMaster", "HoldDown", "Degraded")
		}, Fail, "with InSync closed"},
		{"straight to Master", func(t *tape) { t.role(5000, "lb1", "Backup", "Master", "LinksUp") }, Fail, "with NoMaster, HoldDown and InSync closed"},
		{"gates that are off are not open", func(t *tape) {
			t.add(-700, "lb2", trace.Event{Kind: trace.KindGate, Gate: &trace.Gate{Name: "HoldDown", Open: true, Why: "gates: off"}})
		}, Fail, "lb2 went from Backup to Claiming at +2.153s (test) with HoldDown closed"},
		{"a gate that preemption at once forces is not open", func(t *tape) {
			t.add(-700, "lb2", trace.Event{Kind: trace.KindGate, Gate: &trace.Gate{Name: "NoMaster", Open: true, Why: "preempt: immediate"}})
		}, Fail, "lb2 went from Backup to Claiming at +2.153s (test) with NoMaster closed"},
		{"a gate that was forced and then opened by itself", func(t *tape) {
			t.add(-700, "lb2", trace.Event{Kind: trace.KindGate, Gate: &trace.Gate{Name: "HoldDown", Open: true, Why: "gates: off"}})
			t.add(-600, "lb2", trace.Event{Kind: trace.KindGate, Gate: &trace.Gate{Name: "HoldDown", Open: true, Why: "recovery delay has run"}})
		}, Pass, ""},
		{"a gate of the peer that is off", func(t *tape) {
			t.add(500, "lb1", trace.Event{Kind: trace.KindGate, Gate: &trace.Gate{Name: "HoldDown", Open: true, Why: "gates: off"}})
		}, Pass, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tape := crash()
			test.edit(tape)
			v := judged(scenario(t, "always gates", "", ""), tape)
			if got, detail := outcome(v, "gates"); got != test.want || !strings.Contains(detail, test.detail) {
				t.Errorf("gates is %s: %s\nwant %s: %s", got, detail, test.want, test.detail)
			} else if got == Fail && failedAt(v, "gates") == nil {
				t.Errorf("the failure has no time: %s", detail)
			}
		})
	}
}

// A gate that every claim needs may not be closed, whatever else is open.
func TestAClaimWithAClosedGate(t *testing.T) {
	for _, closed := range []string{"LinksUp", "DataplaneReady", "Reachable", "Arbitrated"} {
		tape := crash()
		open := slices.DeleteFunc(slices.Clone(claimGates), func(gate string) bool { return gate == closed })
		tape.add(5000, "lb1", trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: "Backup", To: "Claiming", Gates: open, Closed: []string{closed}}})
		v := judged(scenario(t, "always gates", "", ""), tape)
		if got, detail := outcome(v, "gates"); got != Fail || !strings.Contains(detail, "with "+closed+" closed") {
			t.Errorf("%s: gates is %s: %s", closed, got, detail)
		}
	}
}

func TestAnnounce(t *testing.T) {
	tests := []struct {
		name   string
		edit   func(*tape)
		want   Outcome
		detail string
	}{
		{"after the lease, by the Master", func(*tape) {}, Pass, ""},
		{"while claiming", func(t *tape) { t.announce(2153, "lb2") }, Fail, "lb2 announced at +2.153s before it was Master"},
		{"on the wire alone", func(t *tape) { t.garp(2153, "lb2") }, Fail, "lb2 sent gratuitous ARP for 198.18.0.100 at the clients edge at +2.153s before it was Master"},
		{"by one who was Master long ago", func(t *tape) { t.garp(4500, "lb1") }, Fail, "lb1 sent gratuitous ARP for 198.18.0.100 at the clients edge at +4.500s when it was no longer Master"},
		{"Master without a lease", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil && e.Node == "lb2" })
			t.lease(100, "lb2", 120)
			t.lease(2170, "lb2", 9000)
		}, Fail, "lb2 announced at +2.155s before its lease held"},
		{"as Master for no time at all", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.At > ms(2100) && e.Node == "lb2" })
			t.role(2154, "lb2", "Backup", "Claiming", claimGates...)
			t.lease(2154, "lb2", 2300)
			t.role(2154, "lb2", "Claiming", "Master", claimGates...)
			t.announce(2154, "lb2")
			t.role(2154, "lb2", "Master", "Backup")
			t.lease(2154, "lb2", 2154)
			t.garp(2154.1, "lb2")
		}, Pass, ""},
		{"Master without a lease, while its peer has one", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil && e.Node == "lb2" })
			t.lease(2100, "lb1", 9000)
		}, Fail, "lb2 announced at +2.155s before its lease held"},
		{"Master who never had a lease", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Lease != nil && e.Node == "lb2" })
		}, Fail, "lb2 announced at +2.155s before its lease held"},
		{"long after the role was given up, and just after the next change", func(t *tape) {
			t.role(5000, "lb2", "Master", "Yielding")
			t.role(5090, "lb2", "Yielding", "Backup")
			t.garp(5100, "lb2")
		}, Fail, "when it was no longer Master"},
		{"repeated later in the burst", func(t *tape) { t.announce(3000, "lb2"); t.garp(3000.2, "lb2") }, Pass, ""},
		{"on the wire just after the role was given up", func(t *tape) {
			t.role(5000, "lb2", "Master", "Yielding")
			t.garp(5001, "lb2")
		}, Pass, ""},
		{"by its own report just after the role was given up", func(t *tape) {
			t.role(5000, "lb2", "Master", "Yielding")
			t.announce(5001, "lb2")
		}, Fail, "lb2 announced at +5.001s when it was no longer Master"},
		{"long after the role was given up", func(t *tape) {
			t.role(5000, "lb2", "Master", "Yielding")
			t.garp(5100, "lb2")
		}, Fail, "when it was no longer Master"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tape := crash()
			test.edit(tape)
			v := judged(scenario(t, "always announce", "", ""), tape)
			if got, detail := outcome(v, "announce"); got != test.want || !strings.Contains(detail, test.detail) {
				t.Errorf("announce is %s: %s\nwant %s: %s", got, detail, test.want, test.detail)
			} else if got == Fail && failedAt(v, "announce") == nil {
				t.Errorf("the failure has no time: %s", detail)
			}
		})
	}
}

func TestControls(t *testing.T) {
	reset := func(t *tape) { t.rst(4500) }
	lose := func(t *tape) { t.traffic(4500, "web", "client1#1", trace.TrafficLost, "reset by peer") }
	move := func(t *tape) { t.traffic(4500, "web", "client1#1", trace.TrafficMoved, "backend2") }
	tests := []struct {
		name  string
		lines string
		edits []func(*tape)
		want  Outcome
		why   string
	}{
		{"exactly what it names", "always rst == 0 ; lost == 0\ncontrol rst, lost", []func(*tape){reset, lose}, Pass, "control: caught by rst: rst == 0"},
		{"what it names need not be stated", "control rst, lost", []func(*tape){reset, lose}, Pass, "control: caught by lost"},
		{"a claim about one line does not stand for the others", "always moved(probe) == 0\ncontrol sticky", []func(*tape){move}, Pass, "control: caught by sticky"},
		{"what it names has no implied claim", "always gap(web) < 100ms\ncontrol gap", nil, Pass, "control: caught by gap"},
		{"nothing fails", "control rst, lost", nil, Fail, "control not caught: rst, lost did not fail"},
		{"what it names fails in no way that the scenario states", "always rst <= 1\ncontrol rst", []func(*tape){reset}, Fail, "control not caught: rst did not fail"},
		{"one of two fails", "control rst, lost", []func(*tape){reset}, Fail, "control not caught by lost"},
		{"another fails too", "always lost == 0\ncontrol rst", []func(*tape){reset, lose}, Fail, "control: lost failed too"},
		{"an implicit one fails too", "control rst", []func(*tape){reset, func(t *tape) { t.add(7000, "", trace.Event{Leak: &trace.Leak{What: "x"}}) }}, Fail, "control: leaks failed too"},
		{"the fault did not take hold", "control rst", []func(*tape){func(t *tape) { t.fault(2003, fault.Crash, "lb1", "failed") }}, Inconclusive, "faults: crash lb1"},
		{"the host stood still, and nothing fails", "control rst", []func(*tape){func(t *tape) { t.stall(3000, time.Second) }}, Inconclusive, "this run proves nothing about rst"},
		{"the host stood still", "always masters <= 1\ncontrol rst", []func(*tape){reset, func(t *tape) { t.stall(3000, time.Second) }}, Inconclusive, "masters"},
		{"in this world it is none", "always rst == 0\n[sim] control rst", []func(*tape){reset}, Fail, "rst: rst == 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tape := crash()
			for _, edit := range test.edits {
				edit(tape)
			}
			v := judged(scenario(t, test.lines, "", ""), tape)
			for _, c := range v.Checks {
				if c.Control && test.name == "in this world it is none" {
					t.Errorf("%s is marked as one that must fail", c.Name)
				}
			}
			if v.Verdict != test.want || len(v.Reasons) == 0 || !strings.Contains(strings.Join(v.Reasons, "\n"), test.why) {
				t.Errorf("%s, want %s because of %q\n%s", v.Verdict, test.want, test.why, show(v))
			}
		})
	}
}

// A control is caught if one claim of a check that it names fails, whatever another claim of that check
// proves.
func TestAControlIsCaughtByOneClaim(t *testing.T) {
	tape := crash()
	tape.rst(2500)
	tape.stall(5000, time.Second)
	v := judged(scenario(t, "control rst", "  expect rst == 0", "  expect rst == 0"), tape)
	if got, _ := outcome(v, "rst"); v.Verdict != Pass || got != Fail || len(v.Reasons) != 1 {
		t.Error(show(v))
	}
}

// The forwarders of a subject without leases are those seen on the wire, within the window. If none was
// seen there, nothing is known.
func TestForwardersThatNobodySawAreNotMeasured(t *testing.T) {
	tape := crash()
	tape.without(func(e trace.Event) bool { return e.Lease != nil })
	(*tape)[0].Meta.Lacks = []string{capability.Lease}
	v := judged(scenario(t, "", "  expect forwarders <= 1", "  expect forwarders <= 1"), tape)
	var got []Check
	for _, c := range v.Checks {
		if c.Name == "forwarders" {
			got = append(got, c)
		}
	}
	if len(got) != 2 || got[0].Verdict != Pass || !strings.Contains(got[0].Detail, "as seen on the wire: lb2 from +2.160s at the clients edge") ||
		got[1].Verdict != Inconclusive || !strings.Contains(got[1].Detail, "not measured") {
		t.Error(show(v))
	}
}
