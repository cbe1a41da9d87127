// Package trace defines the record of a run. Nodes, worlds, traffic generators
// and captures write it; checks and reports read it. A trace is a file of JSON
// lines, one Event each. Events are plain data; the package reads no clock and
// judges nothing.
package trace

import (
	"fmt"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// Version is the version of the schema; the first event of a trace, KindMeta, carries it.
const Version = 2

// Kind names the payload of an Event: the pointer of that name is set, and no other.
type Kind string

const (
	KindMeta      Kind = "meta"      // first event: what ran
	KindRole      Kind = "role"      // a node changed its role, or refused to
	KindGate      Kind = "gate"      // a gate of a node opened or closed
	KindBFD       Kind = "bfd"       // a BFD session changed
	KindSync      Kind = "sync"      // progress of connection sync
	KindLease     Kind = "lease"     // until when a node may forward
	KindAnnounce  Kind = "announce"  // a node sent gratuitous ARPs
	KindFault     Kind = "fault"     // the world did something to a node or link
	KindStep      Kind = "step"      // a step of the scenario began or ended
	KindTraffic   Kind = "traffic"   // a session, connect or probe began, failed or ended
	KindGap       Kind = "gap"       // one flow got no answer for a while
	KindTotals    Kind = "totals"    // running totals of one traffic line
	KindRST       Kind = "rst"       // a RST on the wire, attributed
	KindGARP      Kind = "garp"      // a gratuitous ARP on the wire
	KindForwarder Kind = "forwarder" // another node began to forward a VIP's packets, as seen on the wire
	KindStall     Kind = "stall"     // the host stalled, so measurements around it prove nothing
	KindReplica   Kind = "replica"   // digest of a node's connection table
	KindLoop      Kind = "loop"      // how often a node's loop asked for a timer
	KindRefused   Kind = "refused"   // a node's dataplane refused new flows
	KindLoss      Kind = "loss"      // packets were lost on a link, by plan or not
	KindProgram   Kind = "program"   // a program that the scenario ran has ended
	KindDied      Kind = "died"      // a node's process ended by itself
	KindLeak      Kind = "leak"      // something was left behind after teardown
	KindMissed    Kind = "missed"    // the trace lacks records
	KindNote      Kind = "note"      // anything else worth a line in the report
)

// Event is one line of a trace.
type Event struct {
	// At is when it happened. All events of a trace share one time axis:
	// CLOCK_BOOTTIME of the host, or the simulator's true time.
	At clock.Instant `json:"t"`
	// Node is the machine that the event is about ("lb1", "client1"), or "" for the world.
	Node string `json:"node,omitempty"`
	Kind Kind   `json:"kind"`

	Meta      *Meta      `json:"meta,omitempty"`
	Role      *Role      `json:"role,omitempty"`
	Gate      *Gate      `json:"gate,omitempty"`
	BFD       *BFD       `json:"bfd,omitempty"`
	Sync      *Sync      `json:"sync,omitempty"`
	Lease     *Lease     `json:"lease,omitempty"`
	Announce  *Announce  `json:"announce,omitempty"`
	Fault     *Fault     `json:"fault,omitempty"`
	Step      *Step      `json:"step,omitempty"`
	Traffic   *Traffic   `json:"traffic,omitempty"`
	Gap       *Gap       `json:"gap,omitempty"`
	Totals    *Totals    `json:"totals,omitempty"`
	RST       *RST       `json:"rst,omitempty"`
	GARP      *GARP      `json:"garp,omitempty"`
	Forwarder *Forwarder `json:"forwarder,omitempty"`
	Stall     *Stall     `json:"stall,omitempty"`
	Replica   *Replica   `json:"replica,omitempty"`
	Loop      *Loop      `json:"loop,omitempty"`
	Refused   *Refused   `json:"refused,omitempty"`
	Loss      *Loss      `json:"loss,omitempty"`
	Program   *Program   `json:"program,omitempty"`
	Died      *Died      `json:"died,omitempty"`
	Leak      *Leak      `json:"leak,omitempty"`
	Missed    *Missed    `json:"missed,omitempty"`
	Note      string     `json:"note,omitempty"`
}

// Meta says what ran.
type Meta struct {
	Version  int    `json:"version"`
	Scenario string `json:"scenario"`
	World    string `json:"world"` // "netns" or "sim"
	SUT      string `json:"sut"`   // the subject: "reference", "keepalived", …
	// Lacks lists the capabilities that the subject does not provide; none for the reference node.
	Lacks  []string `json:"lacks,omitempty"`
	Seed   uint64   `json:"seed"`
	Detect Dur      `json:"detect"` // configured BFD detection time
	// Origin says when and where the run took place. It is nil in campaigns, whose
	// traces depend on plan and seed alone.
	Origin *Origin `json:"origin,omitempty"`
}

// Origin says when and where a run took place, and how to repeat it. Checks ignore it.
type Origin struct {
	Began string `json:"began,omitempty"` // wall clock time of the start, RFC 3339
	// File is the scenario file as given on the command line. Set has the settings
	// that were overridden.
	File        string   `json:"file,omitempty"`
	Set         []string `json:"set,omitempty"`
	AllowUnsafe bool     `json:"allow_unsafe,omitempty"`
	// Args are the arguments of `baton run` that repeat the run.
	Args []string `json:"args,omitempty"`
	Host Host     `json:"host"`
}

// Host is the machine and the build that made a run. Unknown fields are empty.
type Host struct {
	Kernel string `json:"kernel,omitempty"`
	Arch   string `json:"arch,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores,omitempty"` // that the process may use
	Go     string `json:"go,omitempty"`
	Baton  string `json:"baton,omitempty"` // version of the program
}

// Role is a role change (From ≠ To), or a refusal (From = To, Refused set).
type Role struct {
	From   string   `json:"from"`
	To     string   `json:"to"`
	Reason string   `json:"reason"`
	Epoch  uint32   `json:"epoch"`
	Gates  []string `json:"gates"`            // the open gates
	Closed []string `json:"closed,omitempty"` // the closed gates
	// Refused names the gate that refused a claim.
	Refused  string `json:"refused,omitempty"`
	Degraded bool   `json:"degraded,omitempty"` // claimed on purpose without the gate InSync
	// Late is how much earlier the change may have happened, if the role is polled.
	Late Dur `json:"late,omitempty"`
}

// Gate is a change of one gate.
type Gate struct {
	Name string `json:"name"`
	Open bool   `json:"open"`
	Why  string `json:"why"`
}

// BFD is a state change of the session on one path.
type BFD struct {
	Path   string `json:"path"`
	From   string `json:"from"`
	To     string `json:"to"`
	Diag   string `json:"diag,omitempty"`
	Detect Dur    `json:"detect,omitempty"` // negotiated detection time
}

// Sync is the progress of connection sync at the receiver, or of the sender's
// acknowledged stream.
type Sync struct {
	Phase   string  `json:"phase"` // idle, hello, snapshot, live, insync, lost
	Entries int     `json:"entries"`
	Total   int     `json:"total,omitempty"`
	Percent float64 `json:"percent"`
	Lag     uint64  `json:"lag"`            // changes not yet applied by the receiver
	Rate    float64 `json:"rate,omitempty"` // entries applied per second
	Digest  string  `json:"digest,omitempty"`
	Why     string  `json:"why,omitempty"`
	Took    Dur     `json:"took,omitempty"` // from stream established to insync
}

// Lease is the dataplane lease that the node wrote. Until in the past forbids forwarding.
type Lease struct {
	Until clock.Instant `json:"until"`
	// Relay is until when packets that arrive without a lease are forwarded to the peer,
	// 0 if they are dropped.
	Relay clock.Instant `json:"relay,omitempty"`
}

// Announce is one round of gratuitous ARPs that a node sent, one for each VIP.
type Announce struct {
	Count int `json:"count"` // 1 is the first of a burst
}

// Fault is a fault that the world injects. Phase is "begin" just before it, "receipt" when
// its effect was observed, and "failed" if it had none.
type Fault struct {
	// ID is the same in all events of a fault and unique in the run.
	ID     int    `json:"id"`
	Verb   string `json:"verb"`   // of package scenarios/fault
	Target string `json:"target"` // as the scenario writes it
	// Hosts are the affected machines, Directions the affected directions of links.
	Hosts      []string    `json:"hosts,omitempty"`
	Directions []Direction `json:"directions,omitempty"`
	Phase      string      `json:"phase"`
	Receipt    string      `json:"receipt,omitempty"` // what was seen: "process gone; carrier down on eth0"
}

// Direction is the traffic from one machine to another on one link.
type Direction struct {
	Link string `json:"link"`
	From string `json:"from"`
	To   string `json:"to"`
	// Only limits the direction to a kind of packets, "" for all.
	Only string `json:"only,omitempty"`
}

func (d Direction) String() string {
	return strings.TrimSpace(d.Only + " " + d.From + ">" + d.To + " on " + d.Link)
}

// What returns the fault as a scenario writes it: crash lb1.
func (f Fault) What() string { return strings.TrimSpace(f.Verb + " " + f.Target) }

// Step is a step of the scenario. Windows of checks start when a step begins.
type Step struct {
	Index int    `json:"index"` // into Plan.Steps
	Text  string `json:"text"`
	Phase string `json:"phase"` // begin, end, timeout
}

// Traffic is one event of one flow of a traffic line.
type Traffic struct {
	Name    string `json:"name"` // the traffic line's name
	Flow    string `json:"flow"` // identifies the flow within the line
	Event   string `json:"event"`
	Why     string `json:"why,omitempty"`
	Backend string `json:"backend,omitempty"`
	Tuple   string `json:"tuple,omitempty"`
}

// Events of Traffic.
const (
	TrafficOpened  = "opened"         // a long-lived session was established
	TrafficLost    = "lost"           // an established session failed before its end
	TrafficCorrupt = "corrupt"        // an echo had the wrong bytes, sequence or checksum
	TrafficMoved   = "moved"          // another backend than before answered a session, or a client of a service with affinity
	TrafficFailed  = "connect-failed" // a connect was refused, reset or timed out
	TrafficDone    = "done"           // ended normally, or with its client
)

// Prefixes of the Why of a flow that ended because it got no answer. The duration follows.
const (
	NoAnswer     = "no answer for "
	NoConnection = "no connection for "
)

// Silence returns a Why with one of the prefixes above.
func Silence(begin string, lasted time.Duration) string {
	return begin + lasted.Round(time.Millisecond).String()
}

// SilentFor is the inverse of Silence. It returns false for any other Why.
func SilentFor(why string) (time.Duration, bool) {
	for _, begin := range []string{NoAnswer, NoConnection} {
		if lasted, ok := strings.CutPrefix(why, begin); ok {
			d, err := time.ParseDuration(lasted)
			return d, err == nil
		}
	}
	return 0, false
}

// Reasons of TrafficCorrupt that say who caused it.
const (
	EchoForeign = "echo belongs to another flow"
	EchoMixed   = "echo of a message that this flow sent in the name of another" // a bug of the generator
)

// Gap says that one flow of a traffic line got no answer to the messages that were
// due between From and To. Only gaps above the generator's threshold are recorded.
// Of a session it is the stall: from when the delayed message was due until its echo
// arrived.
type Gap struct {
	Name   string        `json:"name"`
	Flow   string        `json:"flow"`
	Proto  string        `json:"proto"` // tcp, udp
	From   clock.Instant `json:"from"`
	To     clock.Instant `json:"to"`
	Missed int           `json:"missed,omitempty"` // probes without an answer
}

// Totals are counts since the traffic line began. They are written once a second and at the end.
type Totals struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"` // sessions, connects, probe, flows
	Proto    string `json:"proto"`
	Final    bool   `json:"final,omitempty"`
	Sessions int    `json:"sessions"` // flows open now
	Opened   int    `json:"opened"`
	Lost     int    `json:"lost"`
	Failed   int    `json:"failed"` // connects that failed
	Corrupt  int    `json:"corrupt"`
	Moved    int    `json:"moved"`
	Sent     uint64 `json:"sent"`
	Received uint64 `json:"received"`
	Bytes    uint64 `json:"bytes"` // received
	// Sample is the size of the sample of idle flows. Verified is how many of these answered
	// their last request.
	Sample   int `json:"sample,omitempty"`
	Verified int `json:"verified,omitempty"`
	// Meant is how many messages or connections were due by now. Late is how many of these the
	// generator sent or opened later than the plan tolerates, and Latest the largest delay.
	// Unstarted is how many it could not open because the machine had no port or file left.
	Meant     uint64  `json:"meant,omitempty"`
	Late      uint64  `json:"late,omitempty"`
	Unstarted uint64  `json:"unstarted,omitempty"`
	Latest    float64 `json:"latest_ms,omitempty"`
	RTTp50    float64 `json:"rtt_p50_ms,omitempty"`
	RTTp99    float64 `json:"rtt_p99_ms,omitempty"`
	RTTMax    float64 `json:"rtt_max_ms,omitempty"`
	// Latency has the round trips since the previous totals, by LatencyStretch.
	Latency []Latency `json:"latency,omitempty"`
	// Began and Ended are set if the scenario starts or stops the line at a certain time.
	Began clock.Instant `json:"began,omitempty"`
	Ended clock.Instant `json:"ended,omitempty"`
}

// LatencyStretch is the period that one Latency covers.
const LatencyStretch = 100 * time.Millisecond

// Latency has percentiles of the round trips whose answers arrived within LatencyStretch after
// From, in milliseconds. A round trip starts when its message was due.
type Latency struct {
	From    clock.Instant `json:"from"`
	Answers int           `json:"answers"`
	P50     float64       `json:"p50_ms"`
	P90     float64       `json:"p90_ms"`
	P99     float64       `json:"p99_ms"`
	Max     float64       `json:"max_ms"`
}

// RST is a TCP segment with RST set, captured at one edge.
type RST struct {
	Edge   string     `json:"edge"` // clients, backends
	Tuple  flow.Tuple `json:"-"`
	Flow   string     `json:"flow"`
	Sender string     `json:"sender"` // the host whose MAC sent the frame here
	Origin string     `json:"origin"` // the host that made it: a backend, a client, or the sender
	// LB is the load balancer that sent or received the segment, Role is its role, and Entry
	// is the origin of the flow's entry in its table: opened, synced, adopted, none.
	LB    string `json:"lb"`
	Role  string `json:"role"`
	Entry string `json:"entry"`
	Fault string `json:"fault"` // the last fault before it
	Seq   uint32 `json:"seq"`
}

// GARP is a captured gratuitous ARP, or an unsolicited neighbour advertisement for an IPv6 VIP.
type GARP struct {
	Edge string `json:"edge"`
	VIP  string `json:"vip"`
}

func (g GARP) String() string {
	what := "gratuitous ARP"
	if strings.Contains(g.VIP, ":") {
		what = "unsolicited neighbour advertisement"
	}
	return what + " for " + g.VIP + " at the " + g.Edge + " edge"
}

// Forwarder says that another node now sends the frames with a VIP's packets at an edge.
type Forwarder struct {
	Edge string `json:"edge"`
	VIP  string `json:"vip,omitempty"` // "" for packets that keep their client's address
	From string `json:"from"`          // "" for the first; the node itself at the end of the capture
	// Last is when From's last frame was seen. Frames is how many it sent since it became the
	// forwarder.
	Last   clock.Instant `json:"last,omitempty"`
	Frames uint64        `json:"frames,omitempty"`
}

// Stall says that the host scheduled a watchdog late by Took, that the generator of a line of traffic was late
// by as much, or that a node which was just started waited for a processor so long.
type Stall struct {
	Took  Dur    `json:"took"`
	Line  string `json:"line,omitempty"`  // whose generator was behind
	Start string `json:"start,omitempty"` // the node that was started
}

// Of says who was late.
func (s Stall) Of() string {
	switch {
	case s.Line != "":
		return "the generator of " + s.Line + " was behind"
	case s.Start != "":
		return s.Start + ", which was started, waited for a processor"
	}
	return "the host stood still"
}

// Missed says that the trace lacks Count records of a kind. A check that passes might have
// failed with them.
type Missed struct {
	What  string `json:"what"` // frames of the clients edge
	Count uint64 `json:"count"`
	Why   string `json:"why"`
}

func (m Missed) String() string { return fmt.Sprintf("%d %s: %s", m.Count, m.What, m.Why) }

// Replica is the digest of a node's connection table.
type Replica struct {
	Entries int    `json:"entries"`
	Digest  string `json:"digest"`
}

// Loop counts the timers of a node's loop.
type Loop struct {
	For    Dur `json:"for"`            // the period of the counts, which ends at the event
	Timers int `json:"timers"`         // timers that the core asked for and got
	Idle   int `json:"idle,omitempty"` // those that had no effect
	Late   int `json:"late,omitempty"` // idle ones after which the core wanted another at once
	// Replies is how many deferred replies were sent or dropped. Each may have needed a timer.
	Replies int `json:"replies,omitempty"`
}

// Refused says how many new flows of a service the dataplane has refused for one reason since
// the previous event. It is written about once a second.
type Refused struct {
	Service string `json:"service"` // its name
	Why     string `json:"why"`     // the reason of the drops: service-limit, table-full …
	Count   uint64 `json:"count"`
}

// Died says that a node's process ended although no fault ended it.
type Died struct {
	Why string `json:"why"` // how it ended, with its last log line
}

// Program says how a program that the scenario ran on a machine ended.
type Program struct {
	Name string `json:"name"`
	Exit int    `json:"exit"` // exit status; 128 plus the signal's number if a signal ended it
	Why  string `json:"why"`  // in words
	Took Dur    `json:"took"`
	Last string `json:"last,omitempty"` // the last line of its output
	// Output is the last part of its output, at most OutputLimit bytes. Cut says that there
	// was more before.
	Output string `json:"output,omitempty"`
	Cut    bool   `json:"cut,omitempty"`
}

// OutputLimit is how many bytes of a program's output a trace keeps.
const OutputLimit = 32 << 10

// Loss counts lost packets. Planned ones were dropped by a fault of the scenario; they are
// reported when the fault is healed and at the end. The others were dropped by the machine.
type Loss struct {
	Planned bool   `json:"planned"`
	Count   int    `json:"count"`
	Where   string `json:"where"` // a direction, such as "syn client1>lb1 on clients", or a queue of the machine
	Why     string `json:"why"`   // the fault's verb, or why the machine dropped them
}

// Leak names something that outlived its run.
type Leak struct {
	What string `json:"what"`
}

// Dur is a duration, encoded as text ("150ms").
type Dur time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Dur) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Dur) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Dur(v)
	return err
}
