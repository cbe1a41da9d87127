// Package plan turns a scenario file into a Plan: plain data that any world can
// execute and that can be linted, printed back, diffed, and shrunk by deleting
// lines. It knows no world and does no IO beyond the bytes it is given.
//
// Parse reads and checks a file, Lint checks a Plan that was made or changed by
// other means, Print writes one back. The runner and the worlds execute a Plan,
// package check judges what came of it. docs/scenarios.md is the reference of
// the language for those who write scenarios.
package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/metric"
)

// Plan is a parsed scenario.
type Plan struct {
	File     string
	Name     string
	Doc      string
	Topo     Topo
	Config   []Setting
	Services []Service
	Traffic  []Traffic
	Chaos    []Chaos
	Always   []Always
	// Sometimes are conditions that must be true at some time of some run of a suite.
	Sometimes []Always
	Control   []string // the checks that must fail, and no others; empty for an ordinary scenario
	Steps     []Step
	Captures  []Capture
	// Tolerate is the longest host stall that a judged window may contain; a
	// longer one makes the run INCONCLUSIVE. DefaultTolerate if the file says nothing.
	Tolerate time.Duration

	ControlGuard, TolerateGuard Guard
	NamePos, ControlPos         Pos
}

// DefaultTolerate is the stall that a scenario tolerates if it says nothing: two
// thirds of the default detection time.
const DefaultTolerate = 100 * time.Millisecond

// Pos is where a piece of the plan stands. Lines and columns count from 1. File is that of
// an include line, "" for the plan's own.
type Pos struct {
	File         string
	Line, Column int
}

// String names the line as a message does.
func (p Pos) String() string {
	if p.File != "" {
		return fmt.Sprintf("line %d of %s", p.Line, p.File)
	}
	return fmt.Sprintf("line %d", p.Line)
}

// Guard restricts a line to one world: "netns", "sim", or "" for both.
type Guard string

// Topo is the shape of the network. Pair is the only kind: clients – switch –
// lb1, lb2 – switch – backends, and a sync link between lb1 and lb2.
type Topo struct {
	Kind              string
	Clients, Backends int
	Pos               Pos
}

// Lab is the lab of that shape.
func (t Topo) Lab() lab.Topo { return lab.Topo{Clients: t.Clients, Backends: t.Backends} }

// Lab is the lab of the topology, with the addresses that the services need.
func (p *Plan) Lab() lab.Topo {
	topo := p.Topo.Lab()
	topo.IPv6 = slices.ContainsFunc(p.Services, func(s Service) bool { return s.Family() == lab.IPv6 })
	return topo
}

// Setting is one configuration value of one node, or of both where Node is "".
// Key is canonical: bfd.tx, bfd.mult, ha.hold, ha.priority, ha.preempt, ha.gates, ….
type Setting struct {
	Node, Key, Value string
	Guard            Guard
	Pos              Pos
}

// Service is a balanced service.
type Service struct {
	Name    string
	Proto   string // tcp, udp
	VIP     string
	Port    uint16
	Mode    string // fullnat, dnat
	Balance string // rr, maglev
	// Affinity is how long a client keeps its backend for new connections; 0 is for no time.
	Affinity time.Duration
	// Bare says that the harness serves nothing there: a program that the scenario runs does.
	Bare  bool
	Guard Guard
	Pos   Pos
}

// Kinds of traffic.
const (
	Sessions = metric.Sessions
	Connects = metric.Connects
	Probe    = metric.Probe
	Flows    = metric.Flows
	Bulk     = metric.Bulk
)

// Family is the family of a service's VIP.
func (s Service) Family() lab.Family {
	vip, _ := netip.ParseAddr(s.VIP)
	if !vip.IsValid() {
		return lab.IPv4
	}
	return lab.FamilyOf(vip)
}

// Target is the VIP and port of a service as a scenario writes them.
func (s Service) Target() string { return fmt.Sprintf("%s:%d", s.host(), s.Port) }

// host writes the VIP in the form that precedes a port.
func (s Service) host() string {
	if s.Family() == lab.IPv6 {
		return "[" + s.VIP + "]"
	}
	return s.VIP
}

// Traffic is one line of load on one service, from all clients or one.
type Traffic struct {
	Name    string // labels it in checks: gap(web)
	Kind    string
	Proto   string
	Service string        // name of a Service
	Client  string        // that alone it comes from, "" for all
	Count   int           // sessions, flows; bulk: transfers side by side
	Every   time.Duration // sessions: between two messages of one session; flows: of one of the sample, 0 for the default
	Rate    float64       // connects, probe: per second; flows: at which they are opened; bulk: bits per second of one transfer
	Size    int           // bulk: bytes of one transfer
	Sample  int           // flows: how many of them are asked again and again, 0 for the default
	Rebind  time.Duration // flows of UDP: after how long one of the sample takes another source port, 0 for never
	Up      bool          // bulk: from the client to the backend
	// Half sessions end by closing their sending side while answers are outstanding, and
	// read on; half transfers close it as soon as they have sent what they send.
	Half bool
	// Closer of connects closes first: CloseServer, CloseReset, "" for the client.
	Closer string
	// Ports of connects is how many source ports each client has for them, 0 for as many as
	// it wants. One that is in use is waited for.
	Ports int
	// From and Until are the times of the scenario at which the line starts and stops, 0
	// for as soon as all traffic does.
	From, Until time.Duration
	Guard       Guard
	Pos         Pos
}

// Always is a condition of the whole run, from the first step to the end.
type Always struct {
	Cond  Cond
	Guard Guard
	Pos   Pos
}

// Step is one entry of the timeline: a wait, a fault, an expectation or the end.
// At counts on the scenario's clock, which starts with the first step and stands
// still while a Wait is waiting. Traffic starts once the waits at 0s have passed.
//
// A line without a time belongs to the step above it and has its At. The runner
// begins steps of one At in their order, each once the one before it has ended;
// an expectation takes no time.
type Step struct {
	At    time.Duration
	Verb  string // one of the verbs below, or a fault's
	Fault *Fault
	// Random is set of a step whose time the seed draws: Plan.Drawn makes it a fault.
	Random *Random
	Wait   *Wait
	// Expect is judged from its anchor on: the begin of the step that it belongs
	// to, see Plan.Anchor. The end step has one if it waits for something eventually.
	Expect *Expect
	Guard  Guard
	Pos    Pos
	Text   string // as written, without time and guard
}

// Verbs of a Step that are no faults.
const (
	VerbWait   = "wait"
	VerbExpect = "expect"
	VerbEnd    = "end"
)

// Fault is something done to machines or links; package fault has the verbs.
type Fault struct {
	Verb  string
	Hosts []string      // of a verb on machines, or on the port of one
	Via   string        // the link of a verb on a port, without a machine of all its ports
	On    *lab.Selector // of a verb on wires; nil with heal undoes all
	Way   string        // of a verb that has several
	Share float64       // of a verb on a share of what wires carry
	Time  time.Duration // of a verb that makes it late, or that ends by itself
	Flood string        // the kind of a flood, which the first of Hosts sends
	To    string        // the service or the node that it is sent to
	// Command is the program that a run executes, with its arguments, and Name what it is
	// called in checks.
	Command, Name string
	Args          []Arg // in the order of the verb's keys
}

// Arg is what a key of a fault is set to. Value is canonical.
type Arg struct{ Key, Value string }

// Target is what the fault is done to, as a scenario writes it.
func (f Fault) Target() string {
	switch {
	case f.Flood != "":
		return fmt.Sprintf("%s %s from %s rate=%s for %s", f.Flood, f.To, strings.Join(f.Hosts, " "), f.Arg(fault.KeyRate), formatDuration(f.Time))
	case f.Command != "":
		return fmt.Sprintf("%s \"%s\" as %s for %s", strings.Join(f.Hosts, " "), f.Command, f.Name, formatDuration(f.Time))
	case f.On != nil:
		return f.measured(f.On.String())
	case f.Via != "" && len(f.Hosts) == 0:
		return f.Via
	case f.Via != "":
		return f.Hosts[0] + " via " + f.Via
	}
	return f.measured(strings.Join(f.Hosts, " "))
}

// measured puts the amount before what the fault is done to, and the keys behind it.
func (f Fault) measured(what string) string {
	words := []string{what}
	switch {
	case f.Way != "":
		words = slices.Insert(words, 0, f.Way)
	case f.Time > 0:
		words = slices.Insert(words, 0, formatDuration(f.Time))
	case f.Share > 0:
		words = slices.Insert(words, 0, formatNumber(f.Share))
	}
	for _, a := range f.Args {
		words = append(words, a.Key+"="+a.Value)
	}
	return strings.Join(words, " ")
}

// Wait holds the timeline until all conditions hold at once.
type Wait struct {
	Conds  []Cond
	Within Expr
}

// Expect is a claim about what follows the step that it belongs to.
type Expect struct {
	Conds []Cond
	// Within: the conditions become true together, at the latest after this time.
	// Throughout: they are true from the anchor on for this time. With neither, a
	// comparison is judged over the time from the anchor to the next fault or the
	// end, and a state at that end.
	Within, Throughout *Expr
	// Eventually marks the expectation of the end step: the run goes on until it
	// holds or Within has passed.
	Eventually bool
}

// Cond is one condition; exactly one of its fields is set.
type Cond struct {
	Role    *RoleIs
	InSync  *InSync
	Compare *Compare
	Output  *Output
	Named   string // converged, replica, gates, announce, sticky
	Pos     Pos
}

// RoleIs is "lb1 is Master", "lb1 is not Master".
type RoleIs struct {
	Node, Role string
	Not        bool
}

// InSync is "lb1 insync", "lb1 not insync".
type InSync struct {
	Node string
	Not  bool
}

// Output is "output(fetch) contains "done"", of a program that the scenario runs.
type Output struct {
	Program, Text string
	Not           bool
}

// Compare is "rst == 0", "gap(web) < detect+300ms".
type Compare struct {
	Metric string // masters, forwarders, rst, lost, corrupt, gap, connects_failed, moved, …
	Arg    string // the traffic line, for gap(web)
	Op     string // < <= == >= > !=
	Value  Expr
}

// Expr is a sum of numbers, durations and named values (detect, hold), each with
// a factor: detect+50ms, 2*detect.
type Expr struct{ Terms []Term }

// Term is Factor times Name, or times Unit where Name is "". A plain number has Unit 0.
// Parse keeps durations in the largest unit from seconds down in which Factor is whole.
type Term struct {
	Factor float64
	Name   string        // detect, hold
	Unit   time.Duration // time.Millisecond for "50ms", 0 for a plain number
}

// Capture says that the frames of a link are kept of a failed run.
type Capture struct {
	Where string // clients, backends, sync
	Guard Guard
	Pos   Pos
}

// CaptureLinks are the links whose frames are kept of a failed run in a world, in
// the order in which the scenario names them: that of the clients if it names none.
func (p *Plan) CaptureLinks(world string) []string {
	var named []string
	for _, c := range p.Captures {
		if c.Guard.In(world) && !slices.Contains(named, c.Where) {
			named = append(named, c.Where)
		}
	}
	if len(named) == 0 {
		return []string{lab.Clients}
	}
	return named
}
