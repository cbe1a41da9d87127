package cause

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// tape is a hand-written trace. Times are milliseconds.
type tape []trace.Event

func ms(at float64) clock.Instant { return clock.Instant(at * float64(time.Millisecond)) }

func (t *tape) add(at float64, node string, e trace.Event) {
	e.At, e.Node = ms(at), node
	*t = append(*t, e)
}

func (t *tape) role(at float64, node, from, to, reason string, epoch uint32) {
	t.add(at, node, trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: from, To: to, Reason: reason, Epoch: epoch,
		Gates: []string{"LinksUp", "DataplaneReady", "Reachable", "Arbitrated", "NoMaster", "HoldDown", "InSync"}}})
}

func (t *tape) claims(at float64, node string) {
	t.role(at, node, "Backup", "Claiming", "no MASTER", 0)
}

// takes makes a claiming node MASTER and lets it announce itself twice.
func (t *tape) takes(at float64, node string, epoch uint32) {
	t.lease(at-1, node, 100_000)
	t.role(at, node, "Claiming", "Master", "lease held", epoch)
	t.announces(at, node)
	t.announces(at+100, node)
}

func (t *tape) gate(at float64, node string, open bool, why string) {
	t.add(at, node, trace.Event{Kind: trace.KindGate, Gate: &trace.Gate{Name: "NoMaster", Open: open, Why: why}})
}

func (t *tape) lease(at float64, node string, until float64) {
	t.add(at, node, trace.Event{Kind: trace.KindLease, Lease: &trace.Lease{Until: ms(until)}})
}

func (t *tape) announces(at float64, node string) {
	t.add(at, node, trace.Event{Kind: trace.KindAnnounce, Announce: &trace.Announce{Count: 1}})
}

func (t *tape) fault(at float64, verb, phase string, hosts ...string) {
	t.add(at, "", trace.Event{Kind: trace.KindFault, Fault: &trace.Fault{Verb: verb, Phase: phase, Hosts: hosts}})
}

func (t *tape) strikes(at float64, verb string, hosts ...string) {
	t.fault(at, verb, "begin", hosts...)
	t.fault(at, verb, "receipt", hosts...)
}

func (t *tape) died(at float64, node, why string) {
	t.add(at, node, trace.Event{Kind: trace.KindDied, Died: &trace.Died{Why: why}})
}

func (t *tape) rst(at float64, r trace.RST) { t.add(at, "", trace.Event{Kind: trace.KindRST, RST: &r}) }

func (t *tape) opened(at float64, tuple, event string) {
	t.add(at, "client1", trace.Event{Kind: trace.KindTraffic, Traffic: &trace.Traffic{Name: "web", Tuple: tuple, Event: event}})
}

func (t *tape) down(at float64, node string, b trace.BFD) {
	t.add(at, node, trace.Event{Kind: trace.KindBFD, BFD: &b})
}

func (t *tape) sync(at float64, node, phase string, entries int) {
	t.add(at, node, trace.Event{Kind: trace.KindSync, Sync: &trace.Sync{Phase: phase, Entries: entries}})
}

// healthy is a run in which lb1 has been MASTER since 200 with epoch 1.
func healthy() *tape {
	t := &tape{}
	t.add(0, "", trace.Event{Kind: trace.KindMeta, Meta: &trace.Meta{SUT: "reference"}})
	for _, node := range []string{"lb1", "lb2"} {
		t.role(1, node, "Init", "Backup", "", 0)
	}
	t.claims(100, "lb1")
	t.takes(200, "lb1", 1)
	return t
}

// gives lets lb1 give up its role, with its lease.
func (t *tape) gives(at float64, reason string) {
	t.lease(at, "lb1", at)
	t.role(at, "lb1", "Master", "Backup", reason, 1)
}

// end continues a run for long enough that no reaction is still due.
func (t *tape) end() []trace.Event {
	t.add(60_000, "", trace.Event{Kind: trace.KindNote, Note: "end"})
	trace.Sort(*t)
	return *t
}

// TestMisdeedsAreToldFromCorrectBehaviour: each misdeed stands next to similar behaviour that is correct.
func TestMisdeedsAreToldFromCorrectBehaviour(t *testing.T) {
	const (
		knew      = "lb2 claimed the role while lb1 was MASTER, its gate NoMaster open (peer is Master)"
		woke      = "lb2 claimed the role as soon as it was thawed while lb1 was MASTER, its gate NoMaster open ()"
		kept      = "lb1 gave up the role and kept its lease while lb2 became MASTER"
		epoch     = "lb2 became MASTER without raising its epoch"
		adopts    = "lb1 had no entries for established flows and adopted them, and their segments met a backend that does not know them"
		port      = "lb1 gave a new flow the SNAT port of another one: the backend answered its SYN with an ACK of that connection"
		never     = "lb2 became MASTER and announced itself not at all"
		once      = "lb2 became MASTER and announced itself only once"
		unsent    = "lb2 became MASTER and reported 2 announcements, but none of them came to the network of the clients"
		stays     = "lb1 stayed MASTER when lb2 gave up the role, and did not announce itself again"
		latecomer = "lb2 noticed the fault (crash) later than its BFD detection time allows"
	)
	knows := func(open bool, why string) func(*tape) {
		return func(t *tape) { t.gate(4000, "lb2", open, why); t.claims(5000, "lb2") }
	}
	wakes := func(node string, after float64) func(*tape) {
		return func(t *tape) {
			t.strikes(3000, "freeze", "lb2")
			t.strikes(4000, "thaw", node)
			t.gate(4001, "lb2", true, "")
			t.claims(4000+after, "lb2")
		}
	}
	crosses := func(at float64, node, edge string) func(*tape) {
		return func(t *tape) { t.add(at, node, trace.Event{Kind: trace.KindGARP, GARP: &trace.GARP{Edge: edge}}) }
	}
	restarts := func(verb string) func(*tape) {
		return func(t *tape) {
			t.strikes(5010, verb, "lb2")
			t.strikes(5020, "restore", "lb2")
			t.role(5050, "lb2", "Init", "Backup", "", 0)
		}
	}
	follows := func(e uint32) func(*tape) {
		return func(t *tape) { t.claims(5100, "lb2"); t.takes(5200, "lb2", e) }
	}
	both := func(edits ...func(*tape)) func(*tape) {
		return func(t *tape) {
			for _, edit := range edits {
				edit(t)
			}
		}
	}
	gives := func(t *tape) { t.gives(5000, "handed over") }
	reset := func(change func(*trace.RST)) func(*tape) {
		return func(t *tape) {
			r := trace.RST{Edge: "backends", Sender: "lb1", Origin: "backend1", LB: "lb1", Entry: "adopted"}
			change(&r)
			t.rst(5000, r)
		}
	}
	shares := func(change func(*trace.RST), tuple, event string) func(*tape) {
		return func(t *tape) {
			r := trace.RST{Edge: "clients", Sender: "client1", Origin: "client1", LB: "lb1", Entry: "opened", Flow: "tcp a>b"}
			change(&r)
			t.rst(5000, r)
			t.opened(5100, tuple, event)
		}
	}
	same := func(*trace.RST) {}
	silently := func(announced ...float64) func(*tape) {
		return func(t *tape) {
			t.gives(5000, "handed over")
			t.claims(5100, "lb2")
			t.lease(5199, "lb2", 100_000)
			t.role(5200, "lb2", "Claiming", "Master", "lease held", 2)
			for _, at := range announced {
				t.announces(at, "lb2")
			}
		}
	}
	beside := func(reason string, announced ...float64) func(*tape) {
		return func(t *tape) {
			t.claims(5100, "lb2")
			t.takes(5200, "lb2", 2)
			t.lease(9000, "lb2", 9000)
			t.role(9000, "lb2", "Master", "Backup", reason, 2)
			for _, at := range announced {
				t.announces(at, "lb1")
			}
		}
	}
	detects := func(verb string, at float64, change func(*trace.BFD)) func(*tape) {
		return func(t *tape) {
			t.strikes(5000, verb, "lb1")
			b := trace.BFD{From: "Up", To: "Down", Diag: "Control Detection Time Expired", Detect: trace.Dur(150 * time.Millisecond)}
			change(&b)
			t.down(at, "lb2", b)
		}
	}
	plain := func(*trace.BFD) {}
	for _, c := range []struct {
		name string
		edit func(*tape)
		want string // "" for none
	}{
		{"nothing happens", func(*tape) {}, ""},
		{"a node ends", func(t *tape) { t.died(5000, "lb2", "panic: index at main.go:7") }, "lb2 ended by itself (panic: index)"},

		{"a lease that is renewed after its end", func(t *tape) { t.lease(1000, "lb1", 2000); t.lease(2030, "lb1", 9000) }, "lb1 renewed its lease after it had ended, and stayed MASTER"},
		{"a lease that is renewed in time", func(t *tape) { t.lease(1000, "lb1", 2000); t.lease(1990, "lb1", 9000) }, ""},
		{"a lease that is released late", func(t *tape) { t.lease(1000, "lb1", 2000); t.lease(2030, "lb1", 2030) }, ""},
		{"a MASTER that outlives its lease", func(t *tape) {
			t.lease(1000, "lb1", 2000)
			t.role(2030, "lb1", "Master", "Backup", "peer is MASTER", 1)
		}, "lb1 stayed MASTER after its lease had ended"},
		{"a MASTER of a subject without leases", func(t *tape) {
			*t = slices.DeleteFunc(*t, func(e trace.Event) bool { return e.Lease != nil })
			t.role(2030, "lb1", "Master", "Backup", "peer is MASTER", 1)
		}, ""},
		{"a MASTER that ends with its lease", func(t *tape) {
			t.lease(1000, "lb1", 2000)
			t.role(2001, "lb1", "Master", "Backup", "lease expired", 1)
		}, ""},
		{"a frozen MASTER that gives up once it is thawed", func(t *tape) {
			t.lease(1000, "lb1", 2000)
			t.strikes(1500, "freeze", "lb1")
			t.strikes(4000, "thaw", "lb1")
			t.role(4002, "lb1", "Master", "Backup", "lease expired", 1)
		}, ""},
		{"a frozen MASTER that does not give up once it is thawed", func(t *tape) {
			t.lease(1000, "lb1", 2000)
			t.strikes(1500, "freeze", "lb1")
			t.strikes(4000, "thaw", "lb1")
			t.role(4030, "lb1", "Master", "Backup", "peer is MASTER", 1)
		}, "lb1 stayed MASTER after its lease had ended"},
		{"a MASTER whose lease is cut short when it gives up", func(t *tape) {
			t.lease(1000, "lb1", 3000)
			t.lease(2030, "lb1", 1900)
			t.role(2030, "lb1", "Master", "Backup", "lease expired", 1)
		}, ""},
		{"a starved MASTER that gives up when it runs", func(t *tape) {
			t.lease(1000, "lb1", 2000)
			t.strikes(1500, "starve", "lb1")
			t.role(2400, "lb1", "Master", "Backup", "lease expired", 1)
		}, ""},
		{"a MASTER that is no longer starved", func(t *tape) {
			t.strikes(500, "starve", "lb1")
			t.strikes(700, "feed", "lb1")
			t.lease(1000, "lb1", 2000)
			t.role(2400, "lb1", "Master", "Backup", "lease expired", 1)
		}, "lb1 stayed MASTER after its lease had ended"},
		{"a claim beside a MASTER that is known", knows(true, "peer is Master"), knew},
		{"a claim beside a MASTER that is not heard", knows(true, "peer is silent"), ""},
		{"a claim with the gate closed", knows(false, "peer is Master"), ""},
		{"a claim beside a MASTER that is dead", both(func(t *tape) { t.strikes(3000, "crash", "lb1") }, knows(true, "peer is Master")), ""},
		{"a claim beside a MASTER that is frozen", both(func(t *tape) { t.strikes(3000, "freeze", "lb1") }, knows(true, "peer is Master")), ""},
		{"a claim beside a node that is not MASTER", both(func(t *tape) { t.gives(3000, "") }, knows(true, "peer is Master")), ""},
		{"a handover that is taken back", func(t *tape) {
			t.gate(4000, "lb2", true, "peer is Master")
			t.role(5000, "lb2", "Yielding", "Claiming", "taken back", 0)
		}, ""},
		{"a claim at once after a thaw", wakes("lb2", 20), woke},
		{"a claim some time after a thaw", wakes("lb2", 50), ""},
		{"a claim at once after the thaw of another", wakes("lb1", 20), ""},

		{"a lease that is kept", both(func(t *tape) { t.role(5000, "lb1", "Master", "Backup", "", 1) }, follows(2)), kept},
		{"a lease that is given up", both(gives, follows(2)), ""},
		{"a lease that has run out", both(func(t *tape) { t.lease(4000, "lb1", 5150); t.role(5000, "lb1", "Master", "Backup", "", 1) }, follows(2)), ""},
		{"the lease of a node that is dead", both(func(t *tape) {
			t.role(5000, "lb1", "Master", "Backup", "", 1)
			t.strikes(5050, "crash", "lb1")
		}, follows(2)), ""},
		{"the lease of a node that is frozen", both(func(t *tape) {
			t.role(5000, "lb1", "Master", "Backup", "", 1)
			t.strikes(5050, "freeze", "lb1")
		}, follows(2)), ""},
		{"the lease of a MASTER", follows(2), ""},

		{"a segment of an adopted flow is reset", reset(func(*trace.RST) {}), adopts},
		{"a segment of a flow that was opened here is reset", reset(func(r *trace.RST) { r.Entry = "opened" }), ""},
		{"a RST of the load balancer itself", reset(func(r *trace.RST) { r.Origin = "lb1" }), ""},
		{"a RST of the other load balancer", reset(func(r *trace.RST) { r.Origin = "lb2" }), ""},
		{"the same RST at the clients", reset(func(r *trace.RST) { r.Edge = "clients" }), ""},
		{"a RST that no node forwarded", reset(func(r *trace.RST) { r.LB = "" }), ""},

		{"two flows with one port", shares(same, "tcp a>b", trace.TrafficOpened), port},
		{"a flow that never opens", shares(same, "tcp a>b", trace.TrafficFailed), ""},
		{"another flow opens", shares(same, "tcp c>b", trace.TrafficOpened), ""},
		{"a RST at the backends", shares(func(r *trace.RST) { r.Edge = "backends" }, "tcp a>b", trace.TrafficOpened), ""},
		{"a RST that was forwarded", shares(func(r *trace.RST) { r.Sender = "lb1" }, "tcp a>b", trace.TrafficOpened), ""},
		{"a RST of the load balancer", shares(func(r *trace.RST) { r.Sender, r.Origin = "lb1", "lb1" }, "tcp a>b", trace.TrafficOpened), ""},
		{"a RST of a flow that has answered", shares(func(r *trace.RST) { r.Entry = "established" }, "tcp a>b", trace.TrafficOpened), ""},

		{"an epoch that is not raised", both(gives, follows(1)), epoch},
		{"an epoch that is raised", both(gives, follows(2)), ""},
		{"the same epoch as of a MASTER that is not heard", follows(1), ""},
		{"the epoch of a node whose role was not heard", both(gives, func(t *tape) {
			t.add(5150, "", trace.Event{Kind: trace.KindFault, Fault: &trace.Fault{Verb: "cut", Phase: "begin", Directions: []trace.Direction{{Link: "clients", From: "lb2", To: "lb1"}}}})
		}, follows(2), func(t *tape) {
			t.lease(6000, "lb2", 6000)
			t.role(6000, "lb2", "Master", "Backup", "lease expired", 2)
			t.claims(6100, "lb1")
			t.takes(6200, "lb1", 2)
		}), ""},
		{"the epoch of a node that was killed", both(gives, restarts("kill"), follows(1)), ""},
		{"the epoch of a node that has crashed", both(gives, restarts("crash"), follows(1)), ""},
		{"the epoch of a node that was stopped", both(gives, restarts("stop"), follows(1)), ""},
		{"the epoch of a node that was frozen", both(gives, func(t *tape) {
			t.strikes(5010, "freeze", "lb2")
			t.strikes(5020, "thaw", "lb2")
		}, follows(1)), epoch},

		{"no announcement", silently(), never},
		{"one announcement", silently(5200), once},
		{"a second announcement too late", silently(5200, 6300), once},
		{"two announcements", silently(5200, 6100), ""},
		{"two announcements, of which the wire shows none", both(silently(5200, 5300), crosses(300, "lb1", "clients")), unsent},
		{"two announcements, of which the clients' link shows none", both(silently(5200, 5300), crosses(300, "lb1", "clients"), crosses(5201, "lb2", "backends")), unsent},
		{"two announcements, one of which the wire shows", both(silently(5200, 5300), crosses(300, "lb1", "clients"), crosses(5301, "lb2", "clients")), ""},
		{"two announcements that the wire shows too late", both(silently(5200, 5300), crosses(300, "lb1", "clients"), crosses(6201, "lb2", "clients")), unsent},
		{"two announcements, of which a cut link shows none", both(silently(5200, 5300), crosses(300, "lb1", "clients"), func(t *tape) {
			t.add(5000, "", trace.Event{Kind: trace.KindFault, Fault: &trace.Fault{Verb: "cut", Phase: "begin", Directions: []trace.Direction{{Link: "clients", From: "lb2", To: "client1"}}}})
		}), ""},
		{"one announcement of a role that ends", both(silently(5200), func(t *tape) {
			t.lease(5300, "lb2", 5300)
			t.role(5300, "lb2", "Master", "Fault", "links failed", 2)
		}), ""},
		{"one announcement of a node that is struck", both(silently(5200), func(t *tape) { t.strikes(5300, "freeze", "lb2") }), ""},
		{"one announcement while the other is struck", both(silently(5200), func(t *tape) { t.strikes(5300, "freeze", "lb1") }), once},
		{"two MASTERs, of which the winner is silent", beside("MASTER lb1 ranks above"), stays},
		{"two MASTERs, of which the winner announces itself late", beside("MASTER lb1 ranks above", 9300), stays},
		{"two MASTERs, of which the winner announces itself", beside("MASTER lb1 ranks above", 9100), ""},
		{"two MASTERs, of which one fails", beside("links failed"), ""},

		{"a crash is noticed too late", detects("crash", 5200, plain), latecomer},
		{"a crash is noticed in time", detects("crash", 5190, plain), ""},
		{"a cut is noticed late", detects("cut", 5200, plain), ""},
		{"the peer says that it goes down", detects("crash", 5200, func(b *trace.BFD) { b.Diag = "Neighbor Signaled Session Down" }), ""},
		{"a session that was not up", detects("crash", 5200, func(b *trace.BFD) { b.From = "Init" }), ""},
		{"a session that goes to another state", detects("crash", 5200, func(b *trace.BFD) { b.To = "AdminDown" }), ""},
		{"a session of no known time", detects("crash", 5200, func(b *trace.BFD) { b.Detect = 0 }), ""},
	} {
		run := healthy()
		c.edit(run)
		var got []string
		for _, m := range misdeeds(run.end()) {
			got = append(got, m.What)
			if !strings.HasPrefix(m.What, m.Node+" ") {
				t.Errorf("%s: %q is not about %s", c.name, m.What, m.Node)
			}
		}
		if want := []string{c.want}; c.want == "" && len(got) > 0 || c.want != "" && !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
}

// TestTheFirstMisdeedThatFitsTheHarmIsNamed: of several misdeeds, the first rule's is named if it can have caused the harm.
func TestTheFirstMisdeedThatFitsTheHarmIsNamed(t *testing.T) {
	misses := func(t *tape, at float64) { // lb2 becomes MASTER at an instant and announces itself once
		t.gives(at-200, "handed over")
		t.claims(at-100, "lb2")
		t.lease(at-1, "lb2", 100_000)
		t.role(at, "lb2", "Claiming", "Master", "lease held", 2)
		t.announces(at, "lb2")
	}
	const once, dead, same = "lb2 became MASTER and announced itself only once", "lb2 ended by itself (panic)", "lb2 became MASTER without raising its epoch"
	for _, c := range []struct {
		name     string
		kind     Kind
		from, to float64
		edit     func(*tape)
		want     string
	}{
		{"the only one", Broken, 5000, 5000, func(t *tape) { misses(t, 5000) }, once},
		{"an earlier rule", Broken, 5000, 5000, func(t *tape) { misses(t, 5000); t.died(4000, "lb2", "panic") }, dead},
		{"recorded a little after the harm", Broken, 5000, 5000, func(t *tape) { misses(t, 5009) }, once},
		{"after the harm", Broken, 5000, 5000, func(t *tape) { misses(t, 5011) }, ""},
		{"before the last fault", Broken, 9000, 9000, func(t *tape) { misses(t, 5000); t.strikes(8000, "cut", "") }, ""},
		{"before the last fault, and it lasts", Broken, 9000, 9000, func(t *tape) {
			t.died(5000, "lb2", "panic")
			t.strikes(8000, "cut", "")
		}, dead},
		{"an epoch lasts", Broken, 9000, 9000, func(t *tape) {
			t.gives(4800, "handed over")
			t.claims(4900, "lb2")
			t.takes(5000, "lb2", 1)
			t.strikes(8000, "cut", "")
		}, same},
		{"a silence that goes on for longer after it", Silence, 4900, 6000, func(t *tape) { misses(t, 5000) }, once},
		{"a silence that was longer before it", Silence, 2000, 6000, func(t *tape) { misses(t, 5000) }, ""},
		{"another harm that was longer before it", Broken, 2000, 6000, func(t *tape) { misses(t, 5000) }, once},
	} {
		run := healthy()
		c.edit(run)
		got, found := Of(run.end(), Harm{Kind: c.kind, From: ms(c.from), To: ms(c.to)})
		if c.want == "" && got.What != once && got.What != dead && got.What != same {
			continue // what the situation was, and no misdeed
		}
		if !found || got.What != c.want {
			t.Errorf("%s: %q, want %q", c.name, got.What, c.want)
		}
	}
}

// TestATableThatACrashDidNotClear is the cause of a control whose bug did no damage.
func TestATableThatACrashDidNotClear(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*tape)
		want bool
	}{
		{"entries before any stream", func(t *tape) { t.sync(5000, "lb1", "idle", 5) }, true},
		{"no entries", func(t *tape) { t.sync(5000, "lb1", "idle", 0) }, false},
		{"entries of the stream", func(t *tape) { t.sync(5000, "lb1", "snapshot", 3); t.sync(6000, "lb1", "idle", 5) }, false},
		{"entries of a node that did not crash", func(t *tape) { t.sync(5000, "lb2", "idle", 5) }, false},
	} {
		run := healthy()
		run.strikes(3000, "crash", "lb1")
		c.edit(run)
		got, found := Of(run.end(), Harm{Kind: Uncaught})
		if found != c.want || found && (got.What != "lb1 came back from its crash with its old table: the crash did not clear it" || got.Node != "lb1") {
			t.Errorf("%s: %+v, %v", c.name, got, found)
		}
	}
}
