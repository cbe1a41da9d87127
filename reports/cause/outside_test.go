package cause

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// Causes outside of the pair come before what its nodes did: the backend of each silent flow was
// gone, or their clients heard no announcement of the new MASTER. They must explain every silent flow.
func TestAFaultOutsideOfThePairIsTold(t *testing.T) {
	second := func(n float64) clock.Instant { return clock.Instant(n * float64(time.Second)) }
	did := func(at float64, phase, verb, target string, hosts []string, directions ...trace.Direction) trace.Event {
		return trace.Event{At: second(at), Kind: trace.KindFault, Fault: &trace.Fault{Verb: verb, Target: target, Phase: phase, Hosts: hosts, Directions: directions}}
	}
	lostAt := func(at float64, flow, backend string) trace.Event {
		return trace.Event{At: second(at), Node: "client1", Kind: trace.KindTraffic, Traffic: &trace.Traffic{Name: "web", Flow: flow, Event: trace.TrafficLost, Backend: backend}}
	}
	lost := func(flow, backend string) trace.Event { return lostAt(20, flow, backend) }
	opened := func(flow, backend string) trace.Event {
		return trace.Event{At: second(3), Node: "client1", Kind: trace.KindTraffic, Traffic: &trace.Traffic{Name: "web", Flow: flow, Event: trace.TrafficOpened, Backend: backend}}
	}
	gap := func(flow string, from, to float64) trace.Event {
		return trace.Event{At: second(to), Node: "client1", Kind: trace.KindGap, Gap: &trace.Gap{Name: "web", Flow: flow, From: second(from), To: second(to)}}
	}
	announces := func(at float64, host string) trace.Event {
		return trace.Event{At: second(at), Node: host, Kind: trace.KindGARP, GARP: &trace.GARP{Edge: "clients", VIP: "198.18.0.100"}}
	}
	lb1 := role(1, "lb1", "Claiming", "Master", "")
	took := role(11, "lb2", "Claiming", "Master", "")
	garp := trace.Direction{Link: "clients", From: "lb2", To: "client1", Only: "garp"}
	away := func(node string) trace.Direction { return trace.Direction{Link: "clients", From: node, To: "client1"} }
	back := trace.Direction{Link: "backends", From: "lb1", To: "backend2"}
	crash := did(10, "begin", "crash", "backend2", []string{"backend2"})
	deaf := did(5, "begin", "cut", "garp lb2->clients", nil, garp)
	const all = " took the backends of all flows without an answer"
	const gone, muted = " took the backend of every flow without an answer", "lb2 became MASTER, but the clients without an answer did not hear its announcements"
	for _, test := range []struct {
		name   string
		events []trace.Event
		says   string
	}{
		{"a crash", []trace.Event{lb1, crash, lost("client1/1", "backend2"), lost("client1/3", "backend2")}, "crash backend2" + gone},
		{"a crash before a takeover", []trace.Event{lb1, crash, took, lost("client1/1", "backend2")}, "crash backend2" + gone},
		{"of some", []trace.Event{lb1, crash, lost("client1/1", "backend2"), lost("client1/2", "backend1")}, "lb1 stayed MASTER after crash backend2"},
		{"two crashes", []trace.Event{lb1, crash, did(10.5, "begin", "crash", "backend1", []string{"backend1"}), lost("client1/2", "backend1"), lost("client1/1", "backend2")}, "crash backend2 and crash backend1" + all},
		{"of unknown backends", []trace.Event{lb1, crash, lost("client1/1", "")}, "lb1 stayed MASTER after crash backend2"},
		{"a gap", []trace.Event{lb1, opened("client1/1", "backend2"), crash, gap("client1/1", 10.1, 19)}, "crash backend2" + gone},
		{"a short gap beside it", []trace.Event{lb1, opened("client1/1", "backend2"), opened("client1/2", "backend1"), crash, gap("client1/2", 10.1, 12), gap("client1/1", 10.1, 19)}, "crash backend2" + gone},
		{"restored before", []trace.Event{lb1, did(6, "begin", "crash", "backend2", []string{"backend2"}), did(7, "receipt", "restore", "backend2", []string{"backend2"}), lost("client1/1", "backend2")}, "lb1 stayed MASTER after crash backend2"},
		{"restored meanwhile", []trace.Event{lb1, crash, did(12, "receipt", "restore", "backend2", []string{"backend2"}), lost("client1/1", "backend2")}, "crash backend2" + gone},
		{"another one restored before", []trace.Event{lb1, did(5, "begin", "crash", "backend2", []string{"backend2"}), did(7, "receipt", "restore", "backend1", []string{"backend1"}), lost("client1/1", "backend2")}, "crash backend2" + gone},
		{"after it", []trace.Event{lb1, did(10, "begin", "crash", "backend1", []string{"backend1"}), did(20.1, "begin", "crash", "backend2", []string{"backend2"}), lost("client1/1", "backend2")}, "lb1 stayed MASTER after crash backend1"},
		{"another flow was lost before", []trace.Event{lb1, lostAt(8, "client1/2", "backend1"), opened("client1/1", "backend2"), crash, gap("client1/1", 10.1, 19)}, "crash backend2" + gone},
		{"cut off from the MASTER", []trace.Event{lb1, did(10, "begin", "cut", "lb1->backend2", nil, back), lost("client1/1", "backend2")}, "lb1 stayed MASTER after cut lb1->backend2, which" + gone},
		{"a crash, and the other one cut off from the MASTER", []trace.Event{lb1, crash, did(10.5, "begin", "cut", "lb1->backend1", nil, trace.Direction{Link: "backends", From: "lb1", To: "backend1"}), lost("client1/1", "backend2"), lost("client1/2", "backend1")}, "lb1 stayed MASTER after crash backend2 and cut lb1->backend1, which" + all},
		{"cut off from the node that takes over", []trace.Event{role(1, "lb2", "Claiming", "Master", ""), role(11, "lb1", "Claiming", "Master", ""), did(10, "begin", "cut", "lb1->backend2", nil, back), lost("client1/1", "backend2")}, "cut lb1->backend2" + gone},
		{"which the MASTER does not hear", []trace.Event{lb1, did(10, "begin", "cut", "backend2->lb1", nil, trace.Direction{Link: "backends", From: "backend2", To: "lb1"}), lost("client1/1", "backend2")}, "lb1 stayed MASTER after cut backend2->lb1, which" + gone},
		{"another one is cut off from the MASTER", []trace.Event{lb1, did(10, "begin", "cut", "lb1->backend1", nil, trace.Direction{Link: "backends", From: "lb1", To: "backend1"}), lost("client1/1", "backend2")}, "lb1 stayed MASTER after cut lb1->backend1"},
		{"which the other node does not hear", []trace.Event{lb1, did(10, "begin", "cut", "backend2->lb2", nil, trace.Direction{Link: "backends", From: "backend2", To: "lb2"}), lost("client1/1", "backend2")}, ""},
		{"of some packets", []trace.Event{lb1, did(10, "begin", "cut", "arp lb1->backend2", nil, trace.Direction{Link: "backends", From: "lb1", To: "backend2", Only: "arp"}), lost("client1/1", "backend2")}, "lb1 stayed MASTER after cut arp lb1->backend2"},
		{"cut off from the other node", []trace.Event{role(1, "lb2", "Claiming", "Master", ""), did(10, "begin", "cut", "lb1->backend2", nil, back), lost("client1/1", "backend2")}, ""},
		{"announcements cut", []trace.Event{lb1, deaf, took, gap("client1/1", 10.1, 19)}, muted + " (cut garp lb2->clients)"},
		{"announcements cut with all of ARP", []trace.Event{lb1, did(5, "begin", "cut", "arp lb2->clients", nil, trace.Direction{Link: "clients", From: "lb2", To: "client1", Only: "arp"}), took, gap("client1/1", 10.1, 19)}, muted + " (cut arp lb2->clients)"},
		{"announcements cut, and healed before", []trace.Event{lb1, deaf, did(6, "receipt", "heal", "", nil, garp), took, gap("client1/1", 10.1, 19)}, "lb2 became MASTER, and not all sessions continued"},
		{"of another client", []trace.Event{lb1, deaf, took, gap("client2/1", 10.1, 19)}, "lb2 became MASTER, and not all sessions continued"},
		{"a deaf client", []trace.Event{lb1, did(5, "begin", "deaf", "client1", []string{"client1"}), took, gap("client1/1", 10.1, 19)}, muted + " (deaf client1)"},
		{"two deaf clients", []trace.Event{lb1, did(5, "begin", "deaf", "client1", []string{"client1"}), did(6, "begin", "deaf", "client2", []string{"client2"}), took, gap("client1/1", 10.1, 19), gap("client2/1", 10.1, 19)}, muted + " (deaf client1 and deaf client2)"},
		{"announcements cut once they were heard", []trace.Event{lb1, took, did(12, "begin", "cut", "garp lb2->clients", nil, garp), gap("client1/1", 10.1, 19)}, "lb2 became MASTER, and not all sessions continued"},
		{"a new MASTER that is cut off", []trace.Event{lb1, took, did(12, "begin", "cut", "lb2->clients", nil, away("lb2")), gap("client1/1", 10.1, 19)}, "lb2 became MASTER, but was cut off from the clients without an answer (cut lb2->clients)"},
		{"a new MASTER that was cut off before", []trace.Event{lb1, did(5, "begin", "cut", "lb2->clients", nil, away("lb2")), did(10.5, "receipt", "heal", "", nil, away("lb2")), took, gap("client1/1", 10.1, 19)}, "lb2 became MASTER, and not all sessions continued"},
		{"both nodes are cut off", []trace.Event{lb1, took, did(10, "begin", "cut", "lb1->clients", nil, away("lb1")), did(12, "begin", "cut", "lb2->clients", nil, away("lb2")), gap("client1/1", 10.1, 19)}, "neither node could serve the clients without an answer (cut lb1->clients and cut lb2->clients)"},
		{"both nodes are cut off for a short time", []trace.Event{lb1, took, did(10, "begin", "cut", "lb1->clients", nil, away("lb1")), did(12, "begin", "cut", "lb2->clients", nil, away("lb2")), did(13, "receipt", "heal", "", nil, away("lb1")), gap("client1/1", 10.1, 19)}, "lb2 became MASTER, but was cut off"},
		{"both nodes are cut off one after the other", []trace.Event{lb1, took, did(10, "begin", "cut", "lb1->clients", nil, away("lb1")), did(11.5, "receipt", "heal", "", nil, away("lb1")), did(12, "begin", "cut", "lb2->clients", nil, away("lb2")), gap("client1/1", 10.1, 19)}, "lb2 became MASTER, but was cut off"},
		{"both nodes are cut off from another client", []trace.Event{lb1, took, did(10, "begin", "cut", "lb1->clients", nil, away("lb1")), did(12, "begin", "cut", "lb2->clients", nil, away("lb2")), gap("client2/1", 10.1, 19)}, "lb2 became MASTER, and not all sessions continued"},
		{"one node is down, the port of the other too", []trace.Event{lb1, took, did(10, "begin", "crash", "lb1", []string{"lb1"}), did(12, "begin", "down", "lb2 via clients", nil, away("lb2")), gap("client1/1", 10.1, 19)}, "neither node could serve the clients without an answer (crash lb1 and down lb2 via clients)"},
		{"a client that is frozen", []trace.Event{lb1, took, did(10, "begin", "freeze", "client1", []string{"client1"}), gap("client1/1", 10.1, 19)}, "neither node could serve the clients without an answer (freeze client1)"},
		{"another host announces the VIP", []trace.Event{lb1, announces(10.2, "client2"), gap("client1/1", 10.1, 19)}, "client2 announced 198.18.0.100 as its own, and the MASTER lb1 did not announce it again"},
		{"a host that nobody knows", []trace.Event{lb1, announces(9.9, ""), gap("client1/1", 10.1, 19)}, "an unknown host announced 198.18.0.100 as its own, and the MASTER lb1 did not announce it again"},
		{"the MASTER is late", []trace.Event{lb1, announces(10.2, "client2"), announces(18, "lb1"), gap("client1/1", 10.1, 19)}, "client2 announced 198.18.0.100 as its own, and the MASTER lb1 announced it again too late"},
		{"the MASTER announced it again before", []trace.Event{lb1, announces(9, "client2"), announces(9.5, "lb1"), gap("client1/1", 10.1, 19)}, ""},
		{"and the other host once more", []trace.Event{lb1, announces(9, "client2"), announces(9.5, "lb1"), announces(9.8, "client2"), gap("client1/1", 10.1, 19)}, "client2 announced 198.18.0.100 as its own, and the MASTER lb1 did not announce it again"},
		{"another host announces it long before", []trace.Event{lb1, announces(4, "client2"), gap("client1/1", 10.1, 19)}, ""},
		{"another host announces it at the end", []trace.Event{lb1, announces(16, "client2"), gap("client1/1", 10.1, 19)}, ""},
		{"its peer announces it", []trace.Event{lb1, announces(10.2, "lb2"), gap("client1/1", 10.1, 19)}, ""},
		{"another host announces it before a takeover", []trace.Event{lb1, announces(10.2, "client2"), took, gap("client1/1", 10.1, 19)}, "lb2 became MASTER"},
		{"without a takeover", []trace.Event{role(1, "lb2", "Claiming", "Master", ""), deaf, gap("client1/1", 10.1, 19)}, "lb2 stayed MASTER after cut garp lb2->clients"},
	} {
		slices.SortStableFunc(test.events, func(a, b trace.Event) int { return int(a.At - b.At) })
		found, ok := situation(test.events, Harm{Kind: Silence, From: second(10), To: second(20)})
		if ok != (test.says != "") || !strings.HasPrefix(found.What, test.says) || strings.Contains(found.What, gone) != strings.Contains(test.says, gone) {
			t.Errorf("%s: %+v, %v", test.name, found, ok)
		}
	}
}
