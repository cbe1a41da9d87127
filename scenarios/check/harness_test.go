package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// tape is a hand-written trace. Times are milliseconds since the first step. The first step is not at
// the clock's origin.
type tape []trace.Event

const origin = clock.Instant(1_000_000 * time.Second)

func ms(at float64) clock.Instant { return origin.Add(time.Duration(at * float64(time.Millisecond))) }

func (t *tape) add(at float64, node string, e trace.Event) {
	e.At, e.Node = ms(at), node
	*t = append(*t, e)
}

func (t *tape) role(at float64, node, from, to string, gates ...string) {
	t.add(at, node, trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: from, To: to, Reason: "test", Gates: gates}})
}

func (t *tape) lease(at float64, node string, until float64) {
	t.add(at, node, trace.Event{Kind: trace.KindLease, Lease: &trace.Lease{Until: ms(until)}})
}

func (t *tape) sync(at float64, node, phase string, entries int, took time.Duration) {
	t.add(at, node, trace.Event{Kind: trace.KindSync, Sync: &trace.Sync{Phase: phase, Entries: entries, Took: trace.Dur(took)}})
}

func (t *tape) gate(at float64, node, name string, open bool) {
	t.add(at, node, trace.Event{Kind: trace.KindGate, Gate: &trace.Gate{Name: name, Open: open}})
}

func (t *tape) bfd(at float64, node, path, from, to string, detect time.Duration) {
	t.add(at, node, trace.Event{Kind: trace.KindBFD, BFD: &trace.BFD{Path: path, From: from, To: to, Detect: trace.Dur(detect)}})
}

func (t *tape) announce(at float64, node string) {
	t.add(at, node, trace.Event{Kind: trace.KindAnnounce, Announce: &trace.Announce{Count: 1}})
}

func (t *tape) garp(at float64, node string) {
	t.add(at, node, trace.Event{Kind: trace.KindGARP, GARP: &trace.GARP{Edge: "clients", VIP: "198.18.0.100"}})
}

func (t *tape) forwarder(at float64, node, from string, last float64) {
	t.add(at, node, trace.Event{Kind: trace.KindForwarder, Forwarder: &trace.Forwarder{Edge: "clients", From: from, Last: ms(last)}})
}

func (t *tape) replica(at float64, node, digest string) {
	t.add(at, node, trace.Event{Kind: trace.KindReplica, Replica: &trace.Replica{Entries: 2, Digest: digest}})
}

// fault records a fault event: on machines, or on wires if target is a selector. A receipt or failure
// belongs to the latest begin with its verb and target.
func (t *tape) fault(at float64, verb, target, phase string) {
	f := trace.Fault{Verb: verb, Target: target, Phase: phase, Receipt: "seen"}
	for _, e := range *t {
		if e.Fault != nil && (phase == "begin" || e.Fault.Verb == verb && e.Fault.Target == target) {
			f.ID = e.Fault.ID
		}
	}
	if phase == "begin" {
		f.ID++
	}
	switch v, _ := fault.Of(verb); {
	case v.On == fault.Machines:
		f.Hosts = strings.Fields(target)
	case v.On == fault.Traits:
		words := strings.Fields(target)
		f.Hosts = words[len(words)-1:]
	default:
		selector, _, _ := strings.Cut(target, " mtu=") // a selector is followed by keys
		selector, _, _ = strings.Cut(selector, " rate=")
		f.Directions = t.directions(selector)
	}
	t.add(at, "", trace.Event{Kind: trace.KindFault, Fault: &f})
}

// directions returns the directions of a selector, or all that were ever cut if it is "".
func (t *tape) directions(target string) (found []trace.Direction) {
	if target == "" {
		for _, e := range *t {
			if e.Fault != nil && e.Fault.Phase == "begin" {
				found = append(found, e.Fault.Directions...)
			}
		}
		return found
	}
	p, problems := plan.Check("cut.scn", []byte("scenario s\nservice web tcp 198.18.0.100:80\n@1s cut "+target+"\n@2s end\n"))
	if len(problems.Errors(true)) > 0 {
		panic(problems)
	}
	found, err := p.Topo.Lab().Selected(*p.Steps[0].Fault.On)
	if err != nil {
		panic(err)
	}
	return found
}

// step records a step by its verb; judged sets its index in the plan.
func (t *tape) step(at float64, verb, phase string) {
	t.add(at, "", trace.Event{Kind: trace.KindStep, Step: &trace.Step{Text: verb, Phase: phase}})
}

func (t *tape) traffic(at float64, name, flow, event, why string) {
	t.add(at, "client1", trace.Event{Kind: trace.KindTraffic, Traffic: &trace.Traffic{Name: name, Flow: flow, Event: event, Why: why}})
}

func (t *tape) gap(name, flow string, from, to float64) {
	t.add(to, "client1", trace.Event{Kind: trace.KindGap, Gap: &trace.Gap{Name: name, Flow: flow, From: ms(from), To: ms(to)}})
}

func (t *tape) stall(at float64, took time.Duration) {
	t.add(at, "", trace.Event{Kind: trace.KindStall, Stall: &trace.Stall{Took: trace.Dur(took)}})
}

func (t *tape) start(at float64, node string, waited time.Duration) {
	t.add(at, "", trace.Event{Kind: trace.KindStall, Stall: &trace.Stall{Took: trace.Dur(waited), Start: node}})
}

func (t *tape) rst(at float64) {
	t.add(at, "client1", trace.Event{Kind: trace.KindRST, RST: &trace.RST{Edge: "clients", Flow: "tcp 198.18.0.11:4000>198.18.0.100:80",
		Sender: "lb1", Origin: "backend2", LB: "lb1", Role: "Master", Entry: "adopted"}})
}

func (t *tape) totals(at float64, total trace.Totals) {
	t.add(at, "", trace.Event{Kind: trace.KindTotals, Totals: &total})
}

// without drops the events for which f holds.
func (t *tape) without(f func(trace.Event) bool) {
	kept := tape{}
	for _, e := range *t {
		if !f(e) {
			kept = append(kept, e)
		}
	}
	*t = kept
}

var claimGates = []string{"LinksUp", "DataplaneReady", "Reachable", "Arbitrated", "NoMaster", "HoldDown", "InSync"}

// crash is a run that passes: lb1 is Master and crashes at 2000, lb2 takes over at 2155, lb1 is
// restored at 4000 and stays Backup; the run ends at 6000. The steps match the plan of scenario.
func crash() *tape {
	t := &tape{}
	t.add(-900, "", trace.Event{Kind: trace.KindMeta, Meta: &trace.Meta{Version: trace.Version, Scenario: "s", World: plan.Netns,
		SUT: "reference", Seed: 7, Detect: trace.Dur(150 * time.Millisecond)}})
	for _, node := range lab.Nodes() {
		t.role(-800, node, "Init", "Backup", "LinksUp", "DataplaneReady")
		for _, path := range []string{"clients", "sync"} {
			t.bfd(-700, node, path, "Init", "Up", 3*time.Second)
		}
	}
	t.step(0, plan.VerbWait, "begin")
	t.promote(100, "lb1", 4000)
	t.sync(300, "lb2", "insync", 2, 20*time.Millisecond)
	t.step(300, plan.VerbWait, "end")
	t.forwarder(310, "lb1", "", 0)
	for _, flow := range []string{"client1#0", "client1#1"} {
		t.traffic(320, "web", flow, trace.TrafficOpened, "")
	}
	t.totals(1300, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Sessions: 2, Opened: 2, Sent: 20, Received: 20})
	t.lease(1950, "lb1", 2085)
	t.step(2000, fault.Crash, "begin")
	t.fault(2000.1, fault.Crash, "lb1", "begin")
	t.fault(2004, fault.Crash, "lb1", "receipt")
	t.step(2004, fault.Crash, "end")
	t.bfd(2140, "lb2", "clients", "Up", "Down", 150*time.Millisecond)
	t.bfd(2150, "lb2", "sync", "Up", "Down", 150*time.Millisecond)
	t.promote(2155, "lb2", 9000)
	t.forwarder(2160, "lb2", "lb1", 1999)
	t.gap("web", "client1#0", 1995, 2200)
	t.gap("web", "client1#1", 1998, 2160)
	t.gap("probe", "client1#0", 2000, 2158)
	t.step(4000, fault.Restore, "begin")
	t.fault(4000, fault.Restore, "lb1", "begin")
	t.fault(4050, fault.Restore, "lb1", "receipt")
	t.step(4050, fault.Restore, "end")
	t.role(4100, "lb1", "Init", "Backup", "LinksUp", "DataplaneReady")
	for _, path := range []string{"clients", "sync"} {
		t.bfd(4110, "lb1", path, "Init", "Up", 150*time.Millisecond)
		t.bfd(4110, "lb2", path, "Init", "Up", 150*time.Millisecond)
	}
	t.sync(4200, "lb1", "snapshot", 1, 0)
	t.sync(4250, "lb1", "insync", 2, 80*time.Millisecond)
	t.replica(4300, "lb1", "aa")
	t.replica(4300, "lb2", "aa")
	t.step(6000, plan.VerbEnd, "begin")
	t.step(6010, plan.VerbEnd, "end")
	t.totals(6011, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 2, Sent: 100, Received: 100})
	t.totals(6011, trace.Totals{Name: "probe", Kind: plan.Probe, Proto: "udp", Final: true, Opened: 1, Sent: 5000, Received: 4842})
	return t
}

// promote records a complete promotion of a node, with a lease.
func (t *tape) promote(at float64, node string, until float64) {
	t.role(at-2, node, "Backup", "Claiming", claimGates...)
	t.lease(at-1, node, until)
	t.role(at, node, "Claiming", "Master", claimGates...)
	t.announce(at, node)
	t.garp(at+0.1, node)
}

// scenario is the plan of crash, with more lines for the whole run and more
// expectations of the crash and the restore, each on a line of its own.
func scenario(t *testing.T, lines, crashed, restored string) *plan.Plan {
	t.Helper()
	text := "scenario s\nservice web tcp 198.18.0.100:80\nservice dns udp 198.18.0.100:53\n" +
		"traffic web sessions tcp count=2 every=100ms\ntraffic probe probe udp\n" + lines + "\n" +
		"@0s wait lb1 is Master and lb2 insync within 3s\n" +
		"@2s crash lb1\n" + crashed + "\n@4s restore lb1\n" + restored + "\n@6s end\n"
	p, found := plan.Check("s.scn", []byte(text))
	if errs := found.Errors(true); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, text)
	}
	return p
}

// judged runs Judge on the tape, its steps numbered as in the plan.
func judged(p *plan.Plan, t *tape) Verdict { return judgedAs(p, p, t) }

// judgedAs runs Judge with a plan on the tape, its steps numbered as in another.
func judgedAs(numbered, p *plan.Plan, t *tape) Verdict {
	events := make([]trace.Event, len(*t))
	for i, e := range *t {
		if e.Step != nil {
			step := *e.Step
			step.Index = slices.IndexFunc(numbered.Steps, func(s plan.Step) bool { return s.Verb == step.Text })
			e.Step = &step
		}
		events[i] = e
	}
	return Judge(p, events)
}

func show(v Verdict) string {
	var b strings.Builder
	fmt.Fprintln(&b, v.Verdict, v.Reasons)
	for _, c := range v.Checks {
		fmt.Fprintf(&b, "  %-12s %s %s\n", c.Verdict, c.Name, c.Detail)
	}
	return b.String()
}
