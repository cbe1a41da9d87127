package parity_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/sim/parity"
)

func at(ms int, node, from, to, reason string) trace.Event {
	return trace.Event{At: clock.Instant(time.Duration(ms) * time.Millisecond), Node: node, Kind: trace.KindRole,
		Role: &trace.Role{From: from, To: to, Reason: reason}}
}

func step(ms int, text string) trace.Event {
	return trace.Event{At: clock.Instant(time.Duration(ms) * time.Millisecond), Kind: trace.KindStep, Step: &trace.Step{Index: ms, Text: text, Phase: "begin"}}
}

func stepEnd(ms int, text string) trace.Event {
	e := step(ms, text)
	e.Step.Phase = "end"
	return e
}

// indexed sets a step's index in the plan.
func indexed(i int, e trace.Event) trace.Event { e.Step.Index = i; return e }

// Steps that the scenario has at one instant are together, however long the namespaces need for each.
func TestStepsOfOneInstantAreTogether(t *testing.T) {
	run := func(second, change int) []trace.Event {
		return []trace.Event{
			indexed(0, step(0, "wait")), at(500, "lb1", "Backup", "Master", "no MASTER"),
			indexed(1, step(2000, "cut a")), indexed(2, step(second, "cut b")), at(change, "lb1", "Master", "Backup", "lease expired"),
		}
	}
	for second, same := range map[int]bool{2000: true, 2090: false} { // in virtual time
		if v := parity.Compare(run(2090, 2120), run(second, 2050)); v.Same != same {
			t.Errorf("second step at %d ms: %s", second, v)
		}
	}
}

// Virtual time decides which steps are together: in the namespaces each step is a little late.
func TestVirtualTimeSaysWhichStepsAreTogether(t *testing.T) {
	run := func(second, change int) []trace.Event {
		return []trace.Event{
			indexed(0, step(0, "wait")), at(500, "lb1", "Backup", "Master", "no MASTER"),
			indexed(1, step(2000, "handover lb1")), indexed(2, step(second, "wait lb2")), at(change, "lb1", "Yielding", "Backup", "handed over"),
		}
	}
	for netns, sim := range map[int]int{2009: 2010, 2011: 2009} {
		if v := parity.Compare(run(netns, 2100), run(sim, 2100)); !v.Same {
			t.Errorf("second step at %d ms, in virtual time at %d: %s", netns, sim, v)
		}
		if v := parity.Compare(run(netns, 2005), run(sim, 2100)); v.Same != (sim < 2010) {
			t.Errorf("second step at %d ms, in virtual time at %d, and the change before it: %s", netns, sim, v)
		}
	}
}

// How long a node takes to boot, and so which step it is ready after, does not matter. Its later
// changes do.
func TestANodeIsReadyAfterItsStart(t *testing.T) {
	run := func(ready, claims int) []trace.Event {
		return []trace.Event{
			at(ready, "lb2", "Init", "Backup", "ready"), step(0, "wait"), at(20, "lb1", "Init", "Backup", "ready"), at(claims, "lb1", "Backup", "Master", "no MASTER"),
			step(2000, "stop lb1"), at(2001, "lb1", "Master", "Backup", "stopping"),
		}
	}
	for _, test := range []struct {
		ready, claims int
		same          bool
	}{{-3, 500, true}, {2100, 500, true}, {-3, 2500, false}} {
		if v := parity.Compare(run(test.ready, test.claims), run(14, 500)); v.Same != test.same {
			t.Errorf("ready at %d ms, claims at %d ms: %s", test.ready, test.claims, v)
		}
	}
}

// Which of two simultaneous steps a change follows does not matter; of steps further apart it does.
func TestStepsThatAreTogether(t *testing.T) {
	run := func(apart, change int) []trace.Event {
		return []trace.Event{
			step(0, "wait"), at(500, "lb1", "Backup", "Master", "no MASTER"),
			step(2000, "handover lb1"), step(2000+apart, "crash lb1"), at(change, "lb1", "Master", "Yielding", "handover asked for"),
		}
	}
	for apart, same := range map[int]bool{1: true, 9: true, 50: false} {
		v := parity.Compare(run(apart, 2000+apart+1), run(apart, 2000))
		if v.Same != same {
			t.Errorf("steps %d ms apart: %s", apart, v)
		}
	}
}

func fault(ms int, node string) trace.Event {
	return trace.Event{At: clock.Instant(time.Duration(ms) * time.Millisecond), Kind: trace.KindFault, Fault: &trace.Fault{Verb: "down", Target: node, Phase: "begin"}}
}

func receipt(ms int, node string) trace.Event {
	e := fault(ms, node)
	e.Fault.Phase = "receipt"
	return e
}

// A switch that goes down is a fault of each node.
func switchDown(ms int) trace.Event {
	e := fault(ms, "clients")
	for _, node := range []string{"lb1", "lb2"} {
		for _, to := range []string{"client1", "client2"} {
			e.Fault.Directions = append(e.Fault.Directions, trace.Direction{Link: "clients", From: node, To: to})
		}
	}
	return e
}

// A cut between the nodes is one fault, whatever it cuts.
func between(ms int) trace.Event {
	e := fault(ms, "lb1<->lb2")
	e.Fault.Directions = []trace.Direction{{Link: "clients", From: "lb1", To: "lb2"}, {Link: "clients", From: "lb2", To: "lb1"}}
	return e
}

// A claim that the second of two simultaneous faults ends at once is no difference. A claim after a
// single fault, one that lasts, or one that no second fault ended is a difference.
func TestAClaimBetweenSimultaneousFaults(t *testing.T) {
	begin := []trace.Event{step(0, "wait"), at(500, "lb1", "Backup", "Master", "no MASTER"), step(2000, "down lb1"), fault(2000, "lb1")}
	second := []trace.Event{step(2003, "down lb2"), fault(2003, "lb2")}
	run := func(parts ...[]trace.Event) []trace.Event {
		return slices.Concat(append([][]trace.Event{begin}, parts...)...)
	}
	claim := []trace.Event{at(2001, "lb2", "Backup", "Claiming", "no MASTER"), at(2002, "lb2", "Claiming", "Master", "forwarding")}
	failed := func(ms int, from string) []trace.Event {
		return []trace.Event{at(ms, "lb2", from, "Fault", "links failed")}
	}
	for _, test := range []struct {
		name       string
		netns, sim []trace.Event
		same       bool
	}{
		{"a claim that the second fault ends", run(claim, second, failed(2004, "Master")), run(second, failed(2004, "Backup")), true},
		{"a claim that ends where it began", run(claim, second, []trace.Event{at(2030, "lb2", "Master", "Backup", "stopping")}), run(second), true},
		{"a claim that lasts", run(claim, second, failed(2200, "Master")), run(second, failed(2200, "Backup")), false},
		{"a claim that nothing ends", run(claim, second), run(second), false},
		{"a claim after a single fault", run(claim, failed(2004, "Master")), run(failed(2004, "Backup")), false},
		{"a claim between the ports of a switch", slices.Concat([]trace.Event{step(2000, "down clients"), switchDown(2000)}, claim, failed(2004, "Master")),
			slices.Concat([]trace.Event{step(2000, "down clients"), switchDown(2000)}, failed(2004, "Backup")), true},
		{"a claim after a cut between the nodes", slices.Concat([]trace.Event{step(2000, "cut lb1<->lb2"), between(2000)}, claim, failed(2004, "Master")),
			slices.Concat([]trace.Event{step(2000, "cut lb1<->lb2"), between(2000)}, failed(2004, "Backup")), false},
		{"another role after the claim", run(claim, second, failed(2004, "Master")), run(second), false},
		{"a claim that a later fault ends", run(claim, []trace.Event{step(2040, "down lb2"), fault(2040, "lb2")}, failed(2041, "Master")), run([]trace.Event{step(2040, "down lb2"), fault(2040, "lb2")}, failed(2041, "Backup")), false},
		{"a claim that a fault of no step ends later", run(claim, []trace.Event{stepEnd(2003, "down lb1"), fault(2040, "lb2")}, failed(2041, "Master")),
			run([]trace.Event{stepEnd(2000, "down lb1"), fault(2040, "lb2")}, failed(2041, "Backup")), false},
		{"a claim that the second fault ends, which waited for the first one's receipt", run(claim, []trace.Event{stepEnd(2002, "down lb1"), step(2003, "down lb2"), fault(2021, "lb2")}, failed(2022, "Master")),
			run(second, failed(2004, "Backup")), true},
		{"a claim after a single fault and its receipt", run([]trace.Event{receipt(2001, "lb1")}, claim, failed(2004, "Master")), run([]trace.Event{receipt(2001, "lb1")}, failed(2004, "Backup")), false},
		{"what the other node did meanwhile", run(claim, second, []trace.Event{at(2003, "lb1", "Master", "Fault", "links failed")}, failed(2004, "Master")), run(second, failed(2004, "Backup")), false},
		{"what the node did before its claim", run([]trace.Event{at(2000, "lb2", "Fault", "Backup", "links are up")}, claim, second, failed(2004, "Master")), run(second, failed(2004, "Backup")), false},
		{"what the node did after its claim", run(claim, second, failed(2004, "Master"), []trace.Event{at(2030, "lb2", "Fault", "Backup", "links are up")}), run(second), false},
	} {
		if v := parity.Compare(test.netns, test.sim); v.Same != test.same {
			t.Errorf("%s: %s", test.name, v)
		}
	}
}

// If both nodes stop at the same time, a MASTER may hand over or find no peer. A MASTER that stops
// alone hands over.
func TestNodesThatStopTogetherMayHandOverOrNot(t *testing.T) {
	stop := func(nodes ...string) []trace.Event {
		events := []trace.Event{step(0, "wait"), at(500, "lb1", "Backup", "Master", "no MASTER"), step(2000, "stop")}
		for _, node := range nodes {
			events = append(events, fault(2000, node))
		}
		return events
	}
	yields := []trace.Event{at(2002, "lb1", "Master", "Yielding", "stopping"), at(2003, "lb1", "Yielding", "Backup", "handed over")}
	alone := []trace.Event{at(2002, "lb1", "Master", "Backup", "stopping: no peer to hand over to")}
	late := []trace.Event{at(2200, "lb1", "Master", "Backup", "lease expired")}
	for _, test := range []struct {
		name       string
		netns, sim []trace.Event
		same       bool
	}{
		{"both at once", slices.Concat(stop("lb1", "lb2"), alone), slices.Concat(stop("lb1", "lb2"), yields), true},
		{"one", slices.Concat(stop("lb1"), alone), slices.Concat(stop("lb1"), yields), false},
		{"both, but one keeps its role", stop("lb1", "lb2"), slices.Concat(stop("lb1", "lb2"), yields), false},
		{"both, but late", slices.Concat(stop("lb1", "lb2"), late), slices.Concat(stop("lb1", "lb2"), yields), false},
	} {
		if v := parity.Compare(test.netns, test.sim); v.Same != test.same {
			t.Errorf("%s: %s", test.name, v)
		}
	}
}

// A claim that a packet of the peer ends at once would not have begun had the packet come first.
func TestAClaimThatIsRefusedAtOnce(t *testing.T) {
	run := func(claims, ends int, in string) []trace.Event {
		events := []trace.Event{step(0, "wait"), at(500, "lb1", "Backup", "Master", "no MASTER"), step(2000, "heal")}
		if ends == 0 {
			return events
		}
		return append(events, at(claims, "lb2", "Backup", "Claiming", "no MASTER"), at(ends, "lb2", in, "Backup", "peer is MASTER and ranks above"))
	}
	for _, test := range []struct {
		name string
		run  []trace.Event
		same bool
	}{
		{"at once", run(2200, 2201, "Claiming"), true},
		{"later", run(2200, 2215, "Claiming"), false},
		{"as MASTER", run(2200, 2201, "Master"), false},
	} {
		if v := parity.Compare(test.run, run(0, 0, "")); v.Same != test.same {
			t.Errorf("%s: %s", test.name, v)
		}
	}
}

// A MASTER that has only a share of the CPU time may change its role after its peer claims, although its lease has
// ended before.
func TestAStarvedNodeChangesItsRoleLate(t *testing.T) {
	hosts := func(ms int, verb, target, phase string) trace.Event {
		e := fault(ms, target)
		e.Fault.Verb, e.Fault.Hosts, e.Fault.Phase = verb, []string{"lb1"}, phase
		return e
	}
	starve := hosts(1000, "starve", "lb1 cpu=10%", "begin")
	run := func(leaves int, before ...trace.Event) []trace.Event {
		return slices.Concat([]trace.Event{step(0, "wait"), at(500, "lb1", "Backup", "Master", "no MASTER")}, before,
			[]trace.Event{step(2000, "cut"), at(leaves, "lb1", "Master", "Backup", "lease expired"), at(2150, "lb2", "Backup", "Claiming", "no MASTER")})
	}
	for _, test := range []struct {
		name   string
		before []trace.Event
		same   bool
	}{
		{"starved", []trace.Event{starve}, true},
		{"a node that has its time", nil, false},
		{"without memory", []trace.Event{hosts(1000, "starve", "lb1 memory=48", "begin")}, false},
		{"without memory as well", []trace.Event{starve, hosts(1100, "starve", "lb1 memory=48", "begin")}, true},
		{"no longer", []trace.Event{starve, hosts(1500, "feed", "lb1", "begin"), hosts(1501, "feed", "lb1", "receipt")}, false},
		{"not yet fed", []trace.Event{starve, hosts(1500, "feed", "lb1", "begin")}, true},
		{"another process", []trace.Event{starve, hosts(1500, "kill", "lb1", "begin")}, false},
	} {
		for _, leaves := range []int{2155, 1950} { // after the claim of its peer, or before the cut
			if v := parity.Compare(run(leaves, test.before...), run(2120, test.before...)); v.Same != test.same {
				t.Errorf("%s, %d ms: %s", test.name, leaves, v)
			}
		}
	}
}

func TestCompare(t *testing.T) {
	netns := []trace.Event{
		step(0, "wait"), at(10, "lb1", "Init", "Backup", "ready"), at(11, "lb2", "Init", "Backup", "ready"),
		at(500, "lb1", "Backup", "Claiming", "no MASTER"), at(501, "lb1", "Claiming", "Master", "forwarding"),
		step(2000, "crash lb1"), at(2150, "lb2", "Backup", "Claiming", "no MASTER"), at(2151, "lb2", "Claiming", "Master", "forwarding"),
	}
	for _, test := range []struct {
		name string
		sim  []trace.Event
		want string
	}{
		{"other times, and boots the other way round", []trace.Event{
			step(0, "wait"), at(12, "lb2", "Init", "Backup", "ready"), at(20, "lb1", "Init", "Backup", "ready"),
			at(700, "lb1", "Backup", "Claiming", "no MASTER"), at(701, "lb1", "Claiming", "Master", "forwarding"),
			step(2000, "crash lb1"), at(2140, "lb2", "Backup", "Claiming", "no MASTER"), at(2141, "lb2", "Claiming", "Master", "forwarding"),
		}, ""},
		{"a step of one world only", append([]trace.Event{step(0, "wait"), step(5, "a guarded step")}, netns[1:]...), ""},
		{"a step of one world only that changes a role", append(append([]trace.Event{}, netns...), step(3000, "a guarded step"),
			at(3001, "lb2", "Master", "Yielding", "handover")), "what lb2 did differs at change 4"},
		{"a change is missing", netns[:7], "what lb2 did differs at change 3"},
		{"another reason", append(append([]trace.Event{}, netns[:6]...), at(2150, "lb2", "Backup", "Claiming", "granted"), netns[7]), "granted"},
		{"the role goes to the other node first", []trace.Event{
			step(0, "wait"), at(10, "lb1", "Init", "Backup", "ready"), at(11, "lb2", "Init", "Backup", "ready"),
			at(400, "lb2", "Backup", "Claiming", "no MASTER"), at(401, "lb2", "Claiming", "Master", "forwarding"),
			at(500, "lb1", "Backup", "Claiming", "no MASTER"), at(501, "lb1", "Claiming", "Master", "forwarding"), step(2000, "crash lb1"),
		}, "who had the role differs at change 1"},
		{"before the fault instead of after it", append(append([]trace.Event{}, netns[:5]...), at(1900, "lb2", "Backup", "Claiming", "no MASTER"), step(2000, "crash lb1"), netns[7]), `after "wait"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := parity.Compare(netns, test.sim)
			if v.Same != (test.want == "") || !strings.Contains(v.String(), test.want) {
				t.Errorf("want %q, got %s", test.want, v)
			}
		})
	}
}
