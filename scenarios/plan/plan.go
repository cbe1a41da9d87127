// Package plan turns a scenario file into a Plan: plain data that both worlds can execute, and
// that can be linted, printed, compared, and shrunk by deleting lines. The package does no IO
// and does not depend on a world.
//
// Parse reads and checks a file, Lint checks a Plan that was made or changed otherwise, and
// Print writes one. The runner and the worlds execute a Plan, and package check judges the run.
// docs/scenarios.md is the reference of the language.
package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"baton/impl/flow"
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
	// Sometimes are conditions that must be true at least once in the runs of a suite.
	Sometimes []Always
	Control   []string // exactly these checks must fail; empty for an ordinary scenario
	Steps     []Step
	Captures  []Capture
	// Tolerate is the longest host stall that a judged window may contain; a longer one makes
	// the run INCONCLUSIVE.
	Tolerate time.Duration

	ControlGuard, TolerateGuard Guard
	NamePos, ControlPos         Pos
}

// DefaultTolerate is two thirds of the default detection time.
const DefaultTolerate = 100 * time.Millisecond

// Pos is a position in a scenario. Lines and columns count from 1. File is the included file, ""
// for the scenario's own.
type Pos struct {
	File         string
	Line, Column int
}

// String names the line for messages.
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

// Lab returns the lab of that shape.
func (t Topo) Lab() lab.Topo { return lab.Topo{Clients: t.Clients, Backends: t.Backends} }

// Lab returns the lab of the topology, with addresses of the families that the services use.
func (p *Plan) Lab() lab.Topo {
	topo := p.Topo.Lab()
	topo.IPv6 = slices.ContainsFunc(p.Services, func(s Service) bool { return s.Family() == lab.IPv6 || s.BackendFamily() == lab.IPv6 })
	topo.Direct = slices.ContainsFunc(p.Services, Service.Direct)
	return topo
}

// Setting is one configuration value of one node, or of both if Node is "".
// Key is canonical: bfd.tx, bfd.mult, ha.hold, ha.priority, ha.preempt, ha.gates, ….
type Setting struct {
	Node, Key, Value string
	Guard            Guard
	Pos              Pos
}

// Service is a balanced service.
type Service struct {
	Name    string
	Proto   string // tcp, udp, sctp
	VIP     string
	Port    uint16
	Last    uint16 // last port of a range that begins with Port; 0 for a single port
	Mode    string // fullnat, dnat, dsr-l2, dsr-ipip
	Balance string // rr, maglev, least-conn
	// Affinity is how long a client keeps its backend after its last connection; 0 turns it off.
	Affinity time.Duration
	// SNAT is how many SNAT addresses it has, if more than one.
	SNAT int
	// Outer is the family of the outer headers of an encapsulated service, ipv4 or ipv6, and thus of
	// its backends; "" means the family of the VIP.
	Outer string
	// Bare says that a program of the scenario serves it, not the harness.
	Bare  bool
	Guard Guard
	Pos   Pos
}

// ModeDSRL2 and ModeDSRIPIP are the modes of services whose backends have the VIP and answer clients
// directly. The nodes forward their packets unchanged, or encapsulated. In modeFullNAT the backends
// see a SNAT address of the nodes as the client.
const (
	ModeDSRL2   = "dsr-l2"
	ModeDSRIPIP = "dsr-ipip"
	modeFullNAT = "fullnat"
)

// Direct reports whether the service's backends answer clients without the load balancer.
func (s Service) Direct() bool { return s.Mode == ModeDSRL2 || s.Encapsulated() }

// Encapsulated reports whether the service's packets reach the backends in a tunnel.
func (s Service) Encapsulated() bool { return s.Mode == ModeDSRIPIP }

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

// outers are the words of the families.
var outers = []string{lab.IPv4: "ipv4", lab.IPv6: "ipv6"}

// BackendFamily is the family of the addresses at which nodes reach the service's backends.
func (s Service) BackendFamily() lab.Family {
	if i := slices.Index(outers, s.Outer); i >= 0 {
		return lab.Family(i)
	}
	return s.Family()
}

// Across reports whether the service's backends are of the other family than its VIP.
func (s Service) Across() bool { return s.BackendFamily() != s.Family() }

// Ranged reports whether the service has a range of ports.
func (s Service) Ranged() bool { return s.Last != 0 }

// anyPort is how a service of all ports is written.
const anyPort = "any"

// Target returns the VIP and ports of a service as in a scenario.
func (s Service) Target() string {
	switch {
	case s.Port == 1 && s.Last == flow.LastPort:
		return s.host() + ":" + anyPort
	case s.Ranged():
		return fmt.Sprintf("%s:%d-%d", s.host(), s.Port, s.Last)
	}
	return fmt.Sprintf("%s:%d", s.host(), s.Port)
}

// ID returns the service as nodes know it.
func (s Service) ID() flow.Service {
	vip, _ := netip.ParseAddr(s.VIP)
	return flow.Service{VIP: flow.AddrFrom(vip), Port: s.Port, Last: s.Last, Proto: protocolOf(s.Proto)}
}

// PortOf returns the port of a service to which a line of traffic goes.
func (t Traffic) PortOf(s Service) uint16 {
	if t.Port != 0 {
		return t.Port
	}
	return s.Port
}

// PortsOf returns the ports of a service to which lines of traffic go, its first if none does.
func PortsOf(s Service, lines []Traffic) (ports []uint16) {
	for _, t := range lines {
		if port := t.PortOf(s); t.Service == s.Name && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	if ports == nil {
		ports = []uint16{s.Port}
	}
	return ports
}

// BackendPort returns the port of a service's backends: 0 keeps each flow's port of a range.
func (s Service) BackendPort() uint16 {
	if s.Ranged() {
		return 0
	}
	return s.Port
}

// host writes the VIP in the form that precedes a port.
func (s Service) host() string {
	if s.Family() == lab.IPv6 {
		return "[" + s.VIP + "]"
	}
	return s.VIP
}

// Traffic is a line of traffic from all clients, or from one, to one service.
type Traffic struct {
	Name    string // its name in checks: gap(web)
	Kind    string
	Proto   string
	Service string        // name of a Service
	Port    uint16        // the port of the service, if that has a range; 0 for its first
	Client  string        // the only client that sends it, "" for all
	Count   int           // sessions, flows; bulk: parallel transfers
	Every   time.Duration // sessions: interval between messages; flows: interval between requests of a sampled flow, 0 for the default
	Rate    float64       // connects, probe: per second; flows: opened per second; bulk: bits per second of a transfer
	Size    int           // bulk: bytes of one transfer
	Sample  int           // flows: how many get periodic requests, 0 for the default
	Rebind  time.Duration // UDP flows: interval at which a sampled flow changes its source port, 0 for never
	Up      bool          // bulk: from the client to the backend
	// Half: sessions close their sending side while answers are outstanding, and read on;
	// transfers close it as soon as they have sent everything.
	Half bool
	// Closer is which end of a short connection closes first: CloseServer, CloseReset, "" for
	// the client.
	Closer string
	// Ports is how many source ports each client uses for connects, 0 for any number. A
	// connection whose port is still in use is skipped.
	Ports int
	// From and Until are the times of the scenario at which the line starts and stops; 0 means
	// together with all traffic.
	From, Until time.Duration
	Guard       Guard
	Pos         Pos
}

// Always is a condition on the whole run, from the first step to the end.
type Always struct {
	Cond  Cond
	Guard Guard
	Pos   Pos
}

// Step is one entry of the timeline: a wait, a fault, an expectation or the end. At counts on
// the scenario's clock, which starts with the first step and stands still in a Wait. Traffic
// starts after the waits at 0s.
//
// A line without a time belongs to the step above it and has its At. The runner executes the
// steps of one At in their order, each after the end of the one before. An expectation takes no
// time.
type Step struct {
	At    time.Duration
	Verb  string // one of the verbs below, or a fault's
	Fault *Fault
	// Random is set if the seed draws the step's time; Plan.Drawn replaces it by a fault.
	Random *Random
	Wait   *Wait
	// Expect is judged from its anchor on, see Plan.Anchor. An end step with eventually also
	// has one.
	Expect *Expect
	Guard  Guard
	Pos    Pos
	Text   string // as written, without time and guard
}

// Verbs of a Step that are not faults.
const (
	VerbWait   = "wait"
	VerbExpect = "expect"
	VerbEnd    = "end"
)

// Fault is a fault of hosts or links; package fault has the verbs.
type Fault struct {
	Verb  string
	Hosts []string      // for verbs on hosts, or on the port of a host
	Via   string        // for verbs on ports: the link; without Hosts all its ports
	On    *lab.Selector // for verbs on wires; nil with heal means all
	Way   string        // the selected variant of a verb with several
	Share float64       // for verbs on a share of packets
	Time  time.Duration // for delays, and for verbs that end by themselves
	Flood string        // the kind of a flood; the first of Hosts sends it
	To    string        // the target of a flood: a service or a node
	// Command is the command line of a run step, and Name the program's name in checks.
	Command, Name string
	Args          []Arg // in the order of the verb's keys
}

// Arg is a key of a fault with its canonical value.
type Arg struct{ Key, Value string }

// Target writes the operands of the fault as in a scenario.
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

// measured writes the amount, the target and the keys.
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

// Wait holds the timeline until all conditions are true at the same instant.
type Wait struct {
	Conds  []Cond
	Within Expr
}

// Expect is a claim about the time after the step that it belongs to.
type Expect struct {
	Conds []Cond
	// Within: the conditions are true together at some instant of this time. Throughout: they
	// are true for all of this time after the anchor. With neither, a comparison is judged
	// from the anchor to the next fault or the end, and a state at the end of that time.
	Within, Throughout *Expr
	// Eventually marks the expectation of the end step: the run continues until it is true or
	// Within has passed.
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

// Output is "output(fetch) contains "done"", on a program that the scenario runs.
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

// Capture says that a failed run keeps the frames of a link.
type Capture struct {
	Where string // clients, backends, sync
	Guard Guard
	Pos   Pos
}

// CaptureLinks returns the links whose frames a failed run keeps, in the order of the scenario;
// the clients' link if it names none.
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
