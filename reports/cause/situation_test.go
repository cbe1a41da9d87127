package cause

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// A node that does not get its role is described by its last closed gates, from the time of the
// expectation on.
func TestANodeThatStaysBackupIsToldWithItsLastReason(t *testing.T) {
	second := func(n int) clock.Instant { return clock.Instant(time.Duration(n) * time.Second) }
	gate := func(at int, why string) trace.Event {
		return trace.Event{At: second(at), Node: "lb2", Kind: trace.KindGate, Gate: &trace.Gate{Name: "NoMaster", Why: why}}
	}
	events := []trace.Event{
		{At: second(1), Node: "lb2", Kind: trace.KindRole, Role: &trace.Role{From: "Init", To: "Backup"}},
		gate(1, "peer is Backup and ranks above"),
		gate(2, "peer is Master"),
		gate(6, "peer is silent, but this node has not listened for long enough"),
		gate(9, "peer is Master"),
	}
	found, ok := waiting(events, Harm{Kind: Waiting, Node: "lb2", From: second(5), To: second(7)})
	if !ok || found.At != second(5) || !strings.HasSuffix(found.What, "lb2 stayed Backup with NoMaster closed (peer is silent, but this node has not listened for long enough)") {
		t.Errorf("%+v, %v", found, ok)
	}
}

// A subject that does not report its gates is not blamed for claims without them.
func TestOnlyASubjectThatReportsGatesIsBlamedForMissingGates(t *testing.T) {
	events := []trace.Event{
		{Kind: trace.KindMeta, Meta: &trace.Meta{SUT: "keepalived"}},
		{At: 1, Node: "lb2", Kind: trace.KindRole, Role: &trace.Role{From: "Backup", To: "Claiming"}},
	}
	if found := ungated(events); len(found) != 1 {
		t.Errorf("who tells its gates: %+v", found)
	}
	events[0].Meta.Lacks = []string{"gates"}
	if found := ungated(events); len(found) != 0 {
		t.Errorf("who tells none: %+v", found)
	}
}

// A subject without gates is described by the roles that it shows: two MASTERs, unless the end of one's
// role was only read late.
func TestTwoMastersAreTheCauseOfWhatASubjectWithoutGatesDoes(t *testing.T) {
	events := []trace.Event{
		{Kind: trace.KindMeta, Meta: &trace.Meta{SUT: "keepalived", Lacks: []string{"gates"}}},
		role(1, "lb1", "Backup", "Master", "router 51"),
		role(2, "lb2", "Backup", "Master", "router 52"),
		role(3, "lb1", "Master", "Backup", "silent"),
	}
	if found := beside(events); len(found) != 1 || found[0].What != "lb2 became MASTER (router 52) while lb1 was MASTER (router 51)" {
		t.Errorf("%+v", found)
	}
	events[3].At = events[2].At.Add(readLate / 2)
	if found := beside(events); len(found) != 0 {
		t.Errorf("a role that was read late: %+v", found)
	}
	events[3].At, events[0].Meta.Lacks = events[2].At.Add(time.Second), nil
	if found := beside(events); len(found) != 0 {
		t.Errorf("who tells its gates: %+v", found)
	}
}

// role is a change of role at a second of the trace.
func role(at int, node, from, to, reason string) trace.Event {
	return trace.Event{At: clock.Instant(at) * clock.Instant(time.Second), Node: node, Kind: trace.KindRole, Role: &trace.Role{From: from, To: to, Reason: reason}}
}

func session(at int, node, path, to string) trace.Event {
	return trace.Event{At: clock.Instant(at) * clock.Instant(time.Second), Node: node, Kind: trace.KindBFD, BFD: &trace.BFD{Path: path, To: to}}
}

func severing(at int, verb, phase string) trace.Event {
	return trace.Event{At: clock.Instant(at) * clock.Instant(time.Second), Kind: trace.KindFault,
		Fault: &trace.Fault{Verb: verb, Phase: phase, Directions: []trace.Direction{{Link: "clients", From: "lb1", To: "lb2"}}}}
}

// The description names what is unusual: a role given up, a role taken back, a missing stream, a
// peer that is not heard although nothing is cut.
func TestTheAnswerNamesWhatIsUnusualAboutThePair(t *testing.T) {
	pair := []trace.Event{role(1, "lb1", "Init", "Backup", ""), role(1, "lb2", "Init", "Backup", ""), role(2, "lb1", "Claiming", "Master", "")}
	apart := []trace.Event{severing(3, "cut", "begin"), session(4, "lb1", "clients", "Down"), session(4, "lb2", "clients", "Init")}
	lost := trace.Event{At: clock.Instant(5 * time.Second), Node: "lb2", Kind: trace.KindSync, Sync: &trace.Sync{Phase: "lost"}}
	for _, test := range []struct {
		name   string
		kind   Kind
		node   string
		events []trace.Event
		says   string
	}{
		{"a lease that ran out", Waiting, "lb1", []trace.Event{role(5, "lb1", "Master", "Backup", "lease expired")}, "lb1 gave up the role (lease expired)"},
		{"a lease that ran out by a fault", Waiting, "lb1", []trace.Event{stepped(5, "lb1"), role(5, "lb1", "Master", "Backup", "lease expired")}, "lb1 gave up the role (lease expired) after step 1s lb1"},
		{"a fault of long before", Waiting, "lb1", []trace.Event{stepped(-1, "lb1"), role(5, "lb1", "Master", "Backup", "lease expired")}, "lb1 gave up the role (lease expired)"},
		{"a claim that does not end after a fault", Waiting, "lb2", []trace.Event{role(3, "lb1", "Master", "Fault", ""), stepped(4, "lb2"), role(5, "lb2", "Backup", "Claiming", "")}, "lb2 stayed Claiming after step 1s lb2"},
		{"a handover to nobody", Waiting, "lb2", []trace.Event{severing(4, "cut", "begin"), role(5, "lb1", "Master", "Yielding", ""), role(6, "lb1", "Yielding", "Backup", "handed over"),
			role(6, "lb1", "Claiming", "Master", "forwarding")}, "lb1 gave up the role (handed over) and took it again before its peer did"},
		{"the first MASTER that did not answer, not one that inherits its table", Silence, "", []trace.Event{role(5, "lb2", "Claiming", "Master", ""), role(6, "lb2", "Yielding", "Backup", "handed over"),
			role(6, "lb1", "Claiming", "Master", "")}, "lb2 became MASTER, and not all sessions continued"},
		{"a MASTER that was not in sync", Silence, "", []trace.Event{lost, role(5, "lb2", "Claiming", "Master", "")}, "lb2 became MASTER out of sync, and not all sessions continued"},
		{"a MASTER of before the silence is none of it", Silence, "", []trace.Event{role(3, "lb1", "Master", "Backup", ""), role(4, "lb2", "Claiming", "Master", "")}, ""},
		{"a MASTER that loses the role and takes it again", Silence, "", []trace.Event{role(5, "lb1", "Master", "Backup", "lease expired"), role(6, "lb1", "Claiming", "Master", "")},
			"lb1 gave up the role (lease expired) and took it again before its peer did"},
		{"another node is first, without a fault", Waiting, "lb2", []trace.Event{role(3, "lb1", "Backup", "Claiming", "no MASTER"), role(4, "lb1", "Claiming", "Master", "")},
			"lb1 became MASTER (no MASTER) before lb2, which stayed Backup"},
		{"a MASTER that nothing made leave", Waiting, "lb2", []trace.Event{severing(1, "cut", "begin"), severing(4, "heal", "begin")},
			"lb1 became MASTER () after cut and kept the role; lb2 stayed Backup"},
		{"a handover that the MASTER refused", Waiting, "lb2", []trace.Event{handover(4, "lb1", "begin", ""), handover(5, "lb1", "receipt", "lb1 refused: handover refused: PeerReady (peer is not in sync)")},
			"lb1 refused handover lb1: PeerReady (peer is not in sync)"},
		{"a handover that the MASTER of a subject refused", Waiting, "lb2", []trace.Event{handover(4, "lb1", "begin", ""), handover(5, "lb1", "receipt", "lb1 refused: handover ended with exit status 3: `exit 3`")},
			"lb1 refused handover lb1: handover ended with exit status 3"},
		{"a handover for which the BACKUP was asked", Waiting, "lb2", []trace.Event{handover(4, "lb2", "begin", ""), handover(5, "lb2", "receipt", "lb2 refused: this node is Backup; only a MASTER can hand over")},
			"lb2 refused handover lb2: this node is Backup; only a MASTER can hand over"},
		{"a handover that the MASTER began", Waiting, "lb2", []trace.Event{handover(4, "lb1", "begin", ""), handover(5, "lb1", "receipt", "lb1 took the request")}, "lb1 stayed MASTER after handover lb1"},
		{"a handover that was refused before another fault", Waiting, "lb2", []trace.Event{handover(3, "lb1", "begin", ""), handover(3, "lb1", "receipt", "lb1 refused: handover refused: PeerReady (peer is not in sync)"), stepped(4, "lb2")},
			"lb1 refused handover lb1: PeerReady (peer is not in sync)"},
		{"a fault on the other node takes nothing from the MASTER", Waiting, "lb2", []trace.Event{stepped(4, "lb2")}, "lb1 became MASTER () and kept the role; lb2 stayed Backup"},
		{"a cut between the nodes takes nothing from the MASTER", Waiting, "lb2", []trace.Event{severing(4, "cut", "begin")}, "lb1 became MASTER () and kept the role; lb2 stayed Backup"},
		{"a fault between a handover and what is expected of it", Waiting, "lb2", []trace.Event{handover(4, "lb1", "begin", ""), severing(4, "cut", "begin")}, "lb1 stayed MASTER after handover lb1"},
		{"no stream", Unsynced, "lb2", []trace.Event{session(4, "lb1", "sync", "Up"), session(4, "lb2", "sync", "Up"), lost}, "lb2 has no sync stream to lb1"},
		{"no stream and no path", Unsynced, "lb2", []trace.Event{session(4, "lb1", "sync", "Down"), session(4, "lb2", "sync", "Up"), lost}, ""},
		{"healed", Apart, "", append(slices.Clip(apart), severing(5, "heal", "receipt")), "lb1 does not hear lb2 on clients, although nothing is cut"},
		{"healed, and the peer did not notice the cut", Apart, "", []trace.Event{apart[0], apart[1], session(4, "lb2", "clients", "Up"), severing(5, "heal", "receipt")},
			"the BFD sessions of lb2 on clients stayed Up although those of lb1 are Down, and nothing is cut"},
		{"healed, and neither hears the other", Apart, "", []trace.Event{apart[0], apart[1], session(4, "lb2", "clients", "Down"), severing(5, "heal", "receipt")}, ""},
		{"healed, and the peer is frozen", Apart, "", append(slices.Clip(apart), severing(5, "heal", "receipt"), trace.Event{At: clock.Instant(5 * time.Second), Kind: trace.KindFault,
			Fault: &trace.Fault{Verb: "freeze", Target: "lb2", Hosts: []string{"lb2"}, Phase: "receipt"}}), ""},
		{"cut", Apart, "", apart, ""},
		{"healed just now", Apart, "", append(slices.Clip(apart), severing(7, "heal", "receipt")), ""},
	} {
		harm := Harm{Kind: test.kind, Node: test.node, From: clock.Instant(4 * time.Second), To: clock.Instant(7 * time.Second)}
		found, ok := situation(append(append([]trace.Event{}, pair...), test.events...), harm)
		if ok != (test.says != "") || !strings.HasPrefix(found.What, test.says) || strings.Contains(found.What, "after step") != strings.Contains(test.says, "after step") {
			t.Errorf("%s: %+v, %v", test.name, found, ok)
		}
	}
}

// handover is a request for a handover of lb1, or its answer.
func handover(at int, asked, phase, receipt string) trace.Event {
	return trace.Event{At: clock.Instant(time.Duration(at) * time.Second), Kind: trace.KindFault,
		Fault: &trace.Fault{ID: 7, Verb: "handover", Target: asked, Hosts: []string{asked}, Phase: phase, Receipt: receipt}}
}

// A silence that ended soon after a takeover was the takeover. One that went on, or did not end, was not.
func TestASilenceThatATakeoverEndsIsTheTakeover(t *testing.T) {
	events := []trace.Event{role(1, "lb1", "Claiming", "Master", ""), role(5, "lb2", "Backup", "Claiming", "no MASTER"), role(6, "lb2", "Claiming", "Master", "")}
	second := func(n int) clock.Instant { return clock.Instant(time.Duration(n) * time.Second) }
	for _, test := range []struct {
		to    int
		ended bool
		says  string
	}{
		{7, true, "lb2 became MASTER (no MASTER), and the flows continued"},
		{8, true, "lb2 became MASTER (no MASTER), and the flows continued"},
		{9, true, "lb2 became MASTER, and the flows continued late"},
		{7, false, "lb2 became MASTER, and not all sessions continued"},
	} {
		found, ok := silent(events, Harm{Kind: Silence, From: second(4), To: second(test.to), Ended: test.ended})
		if !ok || found.What != test.says || found.At != second(6) {
			t.Errorf("until %ds, ended %v: %+v, %v", test.to, test.ended, found, ok)
		}
	}
}

// stepped is a step of the clock of a node.
func stepped(at int, node string) trace.Event {
	return trace.Event{At: clock.Instant(time.Duration(at) * time.Second), Kind: trace.KindFault,
		Fault: &trace.Fault{Verb: "step", Target: "1s " + node, Hosts: []string{node}, Phase: "begin"}}
}

// Flows in a node's table after its crash are left from before the crash, unless its peer can have
// sent them.
func TestATableThatOutlivesACrashIsTold(t *testing.T) {
	crash := trace.Event{Kind: trace.KindFault, Fault: &trace.Fault{Verb: "crash", Hosts: []string{"lb1"}, Phase: "receipt"}}
	sync := func(node, phase string, entries int) trace.Event {
		return trace.Event{Node: node, Kind: trace.KindSync, Sync: &trace.Sync{Phase: phase, Entries: entries, Total: entries}}
	}
	kill := trace.Event{Kind: trace.KindFault, Fault: &trace.Fault{Verb: "kill", Hosts: []string{"lb1"}, Phase: "receipt"}}
	if found := keptTable([]trace.Event{kill, sync("lb1", "idle", 5)}); len(found) != 0 {
		t.Errorf("the table of a node that was killed: %+v", found)
	}
	if found := keptTable([]trace.Event{sync("lb1", "idle", 5), crash, sync("lb1", "idle", 0), sync("lb1", "idle", 5), sync("lb1", "idle", 6)}); len(found) != 1 || found[0].Node != "lb1" {
		t.Errorf("a table that was kept: %+v", found)
	}
	if found := keptTable([]trace.Event{crash, sync("lb2", "idle", 5), sync("lb1", "hello", 0), sync("lb1", "live", 5), sync("lb1", "idle", 5)}); len(found) != 0 {
		t.Errorf("a table that was synced: %+v", found)
	}
}

// A client resets the answer to its SYN only if the backend took the SYN for a segment of another
// connection. A RST after the flow has opened has other causes.
func TestAFlowThatGotThePortOfAnotherIsTold(t *testing.T) {
	const tuple = "tcp 198.18.0.11:10284>198.18.0.100:80"
	rst := trace.Event{Node: "client1", Kind: trace.KindRST, RST: &trace.RST{Edge: "clients", Flow: tuple, Sender: "client1", Origin: "client1", LB: "lb1", Entry: "opened"}}
	opened := trace.Event{Node: "client1", Kind: trace.KindTraffic, Traffic: &trace.Traffic{Event: trace.TrafficOpened, Tuple: tuple}}
	if found := sharedPort([]trace.Event{rst, opened}); len(found) != 1 || found[0].Node != "lb1" || !strings.HasPrefix(found[0].What, "lb1 gave a new flow the SNAT port of another one") {
		t.Errorf("a RST before the flow opened: %+v", found)
	}
	if found := sharedPort([]trace.Event{opened, rst}); len(found) != 0 {
		t.Errorf("a RST after the flow opened: %+v", found)
	}
}

// A foreign echo names the generator if the flow itself sent the other flow's data, and else the
// balancer that was MASTER.
func TestAForeignEchoIsBlamedOnTheGeneratorOrTheBalancer(t *testing.T) {
	for why, says := range map[string]string{
		trace.EchoMixed + ": flow 3 of run 7":   "the traffic generator of client1 mixed up its flows",
		trace.EchoForeign + ": flow 3 of run 7": "lb1 sent the answer to one flow to another",
		"checksum of the answer is wrong":       "",
	} {
		events := []trace.Event{role(1, "lb1", "Claiming", "Master", ""),
			{At: clock.Instant(3 * time.Second), Node: "client2", Kind: trace.KindTraffic, Traffic: &trace.Traffic{Event: trace.TrafficCorrupt, Why: trace.EchoMixed}}, // another harm
			{At: clock.Instant(5 * time.Second), Node: "client2", Kind: trace.KindTraffic, Traffic: &trace.Traffic{Event: trace.TrafficOpened}},
			{At: clock.Instant(5 * time.Second), Node: "client1", Kind: trace.KindTraffic, Traffic: &trace.Traffic{Event: trace.TrafficCorrupt, Why: why}}}
		found, ok := situation(events, Harm{Kind: Mixed, From: clock.Instant(5 * time.Second), To: clock.Instant(6 * time.Second)})
		if ok != (says != "") || !strings.HasPrefix(found.What, says) {
			t.Errorf("%s: %+v, %v", why, found, ok)
		}
	}
}
