// Package timeline turns the trace of one run into the data of its page: lanes of spans, marks and
// curves over one time axis, each RST with its attribution, and the stages of each failover. It is
// pure: it reads no file and no clock, draws nothing and judges nothing. The size of its result is
// bounded; Run.Cut says what was merged or left out. Package reports calls it, and package
// reports/page draws the result.
package timeline

import (
	"time"

	"baton/impl/clock"
)

// At is a time in the run: microseconds since the first step of the scenario began. It is negative
// before that.
type At int64

// axis converts instants of the trace.
type axis struct{ start clock.Instant }

func (a axis) at(t clock.Instant) At { return At(t.Sub(a.start).Microseconds()) }

// Run is one run as a page draws it.
type Run struct {
	From   At     `json:"from"`
	To     At     `json:"to"`
	Detect At     `json:"detect"` // configured BFD Detection Time
	Lanes  []Lane `json:"lanes"`
	RSTs   []RST  `json:"rsts"`
	// Failovers are the takeovers and handovers of the run, in order.
	Failovers []Failover `json:"failovers"`
	// Latency is the Latency lanes as a table, nil if there are none.
	Latency *Table `json:"latency,omitempty"`
	// Cut says what was merged or left out, a sentence each.
	Cut []string `json:"cut"`
}

// Kinds of lanes, in the order in which they are drawn.
const (
	Faults    = "faults"    // spans: faults until they are undone; marks: faults without an undo
	Steps     = "steps"     // marks: the steps of the scenario
	Stalls    = "stalls"    // spans: the host stood still
	Forwarder = "forwarder" // of an edge and VIP; spans: the node that carries its packets
	RSTLane   = "rst"       // of an edge; marks: RSTs on the wire
	RoleLane  = "role"      // of a node; spans: its role and epoch; marks: claims refused
	Gates     = "gates"     // of a node; spans: the gates that keep it from claiming
	BFD       = "bfd"       // of a node and path; spans: state of the session
	Sync      = "sync"      // of a node; spans: phase; curves: percent, lag, entries
	Lease     = "lease"     // of a node; spans: allowed to forward
	Announced = "announce"  // of a node; marks: gratuitous ARPs, sent and seen on the wire
	Goodput   = "goodput"   // of a traffic line; curves: answers and bytes a second
	Connects  = "connects"  // of a traffic line; curves: connects a second, opened and failed
	Latency   = "latency"   // of a traffic line; trips: percentiles of the round trips
	Gaps      = "gaps"      // of a traffic line; spans: flows that waited for an answer
	Damage    = "damage"    // of a traffic line; marks: sessions lost, moved, corrupt; connects failed; of a service: new flows refused
)

// Lane is one row of the axis.
type Lane struct {
	Kind string `json:"kind"`
	// Of is its subject: a node, a traffic line, an edge; "" for the world.
	Of string `json:"of,omitempty"`
	// Name distinguishes lanes of one kind: a BFD path, a VIP.
	Name   string  `json:"name,omitempty"`
	Spans  []Span  `json:"spans,omitempty"`
	Marks  []Mark  `json:"marks,omitempty"`
	Curves []Curve `json:"curves,omitempty"`
	Trips  *Trips  `json:"trips,omitempty"`
}

// Span is a state that lasts for some time.
type Span struct {
	From  At     `json:"from"`
	To    At     `json:"to"`
	State string `json:"state"`          // the word in it: a role, a BFD state, a verb
	What  string `json:"what,omitempty"` // full description
	// Tone is good, warn or bad, or "" for none of them.
	Tone string `json:"tone,omitempty"`
	// Count is the number of spans that were merged into it, 0 if none.
	Count int `json:"count,omitempty"`
}

// Tones.
const (
	Good = "good"
	Warn = "warn"
	Bad  = "bad"
)

// Mark is something that happened at an instant.
type Mark struct {
	At   At     `json:"at"`
	What string `json:"what"`
	Tone string `json:"tone,omitempty"`
	// Count is the number of events that were merged into it, 0 for a single one.
	Count int `json:"count,omitempty"`
	// RST is the number of the mark's first RST in Run.RSTs, from 1; 0 if it has none. The mark
	// stands for Count RSTs of the same edge, this one and those that follow.
	RST int `json:"rst,omitempty"`
}

// Curve is a quantity over time.
type Curve struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"` // "/s", "%", "" for a count
	At     []At      `json:"at"`
	Values []float64 `json:"values"`
}

// RST is a TCP RST with its attribution.
type RST struct {
	At     At     `json:"at"`
	Edge   string `json:"edge"`
	Flow   string `json:"flow"`
	Sender string `json:"sender"` // host that sent the captured frame
	Origin string `json:"origin"` // host that created the RST
	LB     string `json:"lb"`     // load balancer that forwarded or created it
	Role   string `json:"role"`   // role of that load balancer at the time
	Entry  string `json:"entry"`  // origin of its table entry for the flow
	Fault  string `json:"fault"`  // latest fault before it
	Seq    uint32 `json:"seq"`
	// Session is the session that the RST damaged, "" if unknown.
	Session string `json:"session,omitempty"`
}

// Failover is one change of the MASTER, as a waterfall.
type Failover struct {
	Kind  string  `json:"kind"` // takeover, handover, seizure
	From  string  `json:"from"` // the node that had the role
	To    string  `json:"to"`
	Cause string  `json:"cause"` // crash lb1, handover lb1
	At    At      `json:"at"`    // of the cause
	Total At      `json:"total"` // from the begin of the first stage to the end of the last
	Probe string  `json:"probe"` // the source of first and last packet
	Steps []Stage `json:"steps"`
}

// Stage is a part of a failover. There are no gaps between stages: their times add up to the total
// and their shares to 1.
type Stage struct {
	Name  string  `json:"name"` // detection or yield, gate, install, forward, announce, first packet
	From  At      `json:"from"`
	Took  At      `json:"took"`
	Share float64 `json:"share"`
	What  string  `json:"what"`
}

// Duration is At as a duration.
func (a At) Duration() time.Duration { return time.Duration(a) * time.Microsecond }
