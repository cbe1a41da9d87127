// Package trace is the schema of what happened: the one record that nodes,
// worlds, traffic generators and captures write and that checks and reports
// read. A trace is a file of JSON lines, one Event each. Events are plain data;
// the package reads no clock and judges nothing.
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

// Kind names the payload of an Event: exactly the pointer of the same name is set.
type Kind string

const (
	KindMeta      Kind = "meta"      // first event: what ran
	KindRole      Kind = "role"      // a node changed its role, or refused to
	KindGate      Kind = "gate"      // a gate of a node opened or closed
	KindBFD       Kind = "bfd"       // a BFD session changed
	KindSync      Kind = "sync"      // progress of connection sync
	KindLease     Kind = "lease"     // forwarding allowed until, or forbidden
	KindAnnounce  Kind = "announce"  // a node sent gratuitous ARPs
	KindFault     Kind = "fault"     // the world did something to a node or link
	KindStep      Kind = "step"      // a step of the scenario began or ended
	KindTraffic   Kind = "traffic"   // a session, connect or probe began, failed or ended
	KindGap       Kind = "gap"       // one flow got no answer for a while
	KindTotals    Kind = "totals"    // running totals of one traffic line
	KindRST       Kind = "rst"       // a RST on the wire, attributed
	KindGARP      Kind = "garp"      // a gratuitous ARP on the wire
	KindForwarder Kind = "forwarder" // another node began to carry a VIP's packets, as seen on the wire
	KindStall     Kind = "stall"     // the host itself stood still: measurements around it prove nothing
	KindReplica   Kind = "replica"   // digest of a node's connection table
	KindLoop      Kind = "loop"      // how often a node's loop asked for a timer
	KindRefused   Kind = "refused"   // a node's dataplane refused new flows
	KindLoss      Kind = "loss"      // packets were lost on a link, by plan or not
	KindProgram   Kind = "program"   // a program that the scenario ran has ended
	KindDied      Kind = "died"      // a node's process ended that nobody had ended
	KindLeak      Kind = "leak"      // something was left behind after teardown
	KindMissed    Kind = "missed"    // something happened that the trace does not tell
	KindNote      Kind = "note"      // anything else worth a line in the report
)

// Event is one line of a trace.
type Event struct {
	// At is when it happened. All events of a trace share one time axis:
	// CLOCK_BOOTTIME of the host, or the simulator's true time.
	At clock.Instant `json:"t"`
	// Node is who it concerns: a node ("lb1"), a host ("client1"), or "" for the world.
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
	// Origin says how the run came about; nil where nobody asked, as in campaigns,
	// whose traces are a function of plan and seed alone.
	Origin *Origin `json:"origin,omitempty"`
}

// Origin is what a run cannot be told apart by from its plan and seed: when and
// where it was made, and how to make it again. No check looks at it.
type Origin struct {
	Began string `json:"began,omitempty"` // wall clock at the begin, RFC 3339
	// File is the scenario file as it was named, Set the settings that were
	// overridden.
	File        string   `json:"file,omitempty"`
	Set         []string `json:"set,omitempty"`
	AllowUnsafe bool     `json:"allow_unsafe,omitempty"`
	// Args are what `baton run` takes to make the run again.
	Args []string `json:"args,omitempty"`
	Host Host     `json:"host"`
}

// Host is the machine and the build that made a run. What cannot be found out is empty.
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
	Gates  []string `json:"gates"`            // the gates that are open
	Closed []string `json:"closed,omitempty"` // the gates that are not
	// Refused names the gate because of which a claim was refused.
	Refused  string `json:"refused,omitempty"`
	Degraded bool   `json:"degraded,omitempty"` // claimed without InSync, on purpose, and said so
	// Late is how much earlier the change may have been, where the role is polled.
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

// Lease is the dataplane lease as the node wrote it. Until in the past forbids forwarding.
type Lease struct {
	Until clock.Instant `json:"until"`
	// Relay is until when packets that arrive without a lease are sent on to the peer, 0 if they are not.
	Relay clock.Instant `json:"relay,omitempty"`
}

// Announce is one GARP burst member as sent by a node, for all VIPs together.
type Announce struct {
	Count int `json:"count"` // 1 is the first of a burst
}

// Fault is something that the world did. Phase "begin" is just before it,
// "receipt" is the proof that it took hold, "failed" that it did not.
type Fault struct {
	// ID is the same in all events of one fault, and no other's in the run.
	ID     int    `json:"id"`
	Verb   string `json:"verb"`   // of package scenarios/fault
	Target string `json:"target"` // as the scenario writes it
	// Hosts are the machines that it is done to, Directions those of the links.
	Hosts      []string    `json:"hosts,omitempty"`
	Directions []Direction `json:"directions,omitempty"`
	Phase      string      `json:"phase"`
	Receipt    string      `json:"receipt,omitempty"` // what was seen: "process gone; carrier down on eth0"
}

// Direction is what one machine sends to another on one link.
type Direction struct {
	Link string `json:"link"`
	From string `json:"from"`
	To   string `json:"to"`
	// Only is the kind of packets that it concerns, "" for all.
	Only string `json:"only,omitempty"`
}

func (d Direction) String() string {
	return strings.TrimSpace(d.Only + " " + d.From + ">" + d.To + " on " + d.Link)
}

// What is the fault in words: crash lb1.
func (f Fault) What() string { return strings.TrimSpace(f.Verb + " " + f.Target) }

// Step is a step of the scenario; checks anchor their windows at its begin.
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
	TrafficLost    = "lost"           // a session that was established died before its end
	TrafficCorrupt = "corrupt"        // an echo had the wrong bytes, sequence or checksum
	TrafficMoved   = "moved"          // a session's echo came from another backend than before, or a connection's of a service with affinity
	TrafficFailed  = "connect-failed" // a connect was refused, reset or timed out
	TrafficDone    = "done"           // ended in order, or with its client
)

// Beginnings of the Why of a flow that ended because of a silence, which then says how long it was.
const (
	NoAnswer     = "no answer for "
	NoConnection = "no connection for "
)

// Silence returns such a Why.
func Silence(begin string, lasted time.Duration) string {
	return begin + lasted.Round(time.Millisecond).String()
}

// SilentFor returns how long the silence lasted that a Why names; false if it names none.
func SilentFor(why string) (time.Duration, bool) {
	for _, begin := range []string{NoAnswer, NoConnection} {
		if lasted, ok := strings.CutPrefix(why, begin); ok {
			d, err := time.ParseDuration(lasted)
			return d, err == nil
		}
	}
	return 0, false
}

// Reasons of TrafficCorrupt that say whose fault it was.
const (
	EchoForeign = "echo belongs to another flow"
	EchoMixed   = "echo of a message that this flow sent in the name of another" // the generator's own fault
)

// Gap says that one flow of a traffic line got no answer to what it meant to
// send between From and To. Only gaps above the generator's threshold appear.
// For a session it is the stall: from the intended send time of the delayed
// message to the arrival of its echo.
type Gap struct {
	Name   string        `json:"name"`
	Flow   string        `json:"flow"`
	Proto  string        `json:"proto"` // tcp, udp
	From   clock.Instant `json:"from"`
	To     clock.Instant `json:"to"`
	Missed int           `json:"missed,omitempty"` // probes without an answer
}

// Totals are counted since the traffic line began; written once a second and at the end.
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
	// Of idle flows: how many are in the sample, and how many of these answered when they
	// were asked last.
	Sample   int `json:"sample,omitempty"`
	Verified int `json:"verified,omitempty"`
	// What the generator owed: how many messages or connections it meant to send or open by
	// now, how many of these later than the plan tolerates, how many never, because this machine
	// had no port or file for them, and by how much the latest was late.
	Meant     uint64  `json:"meant,omitempty"`
	Late      uint64  `json:"late,omitempty"`
	Unstarted uint64  `json:"unstarted,omitempty"`
	Latest    float64 `json:"latest_ms,omitempty"`
	RTTp50    float64 `json:"rtt_p50_ms,omitempty"`
	RTTp99    float64 `json:"rtt_p99_ms,omitempty"`
	RTTMax    float64 `json:"rtt_max_ms,omitempty"`
	// Latency has the round trips since the totals before, by stretches.
	Latency []Latency `json:"latency,omitempty"`
	// Began and Ended are set of a line that starts or stops at a time of the scenario.
	Began clock.Instant `json:"began,omitempty"`
	Ended clock.Instant `json:"ended,omitempty"`
}

// LatencyStretch is how long a stretch is of which a Latency tells.
const LatencyStretch = 100 * time.Millisecond

// Latency is the round trips of the answers that came within LatencyStretch of From, in
// milliseconds, each from when its message was meant to be sent.
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
	// Role is the role of the load balancer that the segment passed or came from;
	// Entry how its table knew the flow: opened, synced, adopted, none.
	LB    string `json:"lb"`
	Role  string `json:"role"`
	Entry string `json:"entry"`
	Fault string `json:"fault"` // the last fault before it
	Seq   uint32 `json:"seq"`
}

// GARP is a gratuitous ARP, or an unsolicited neighbour advertisement of an IPv6 VIP, as
// captured.
type GARP struct {
	Edge string `json:"edge"`
	VIP  string `json:"vip"`
}

// String says what was sent, and where.
func (g GARP) String() string {
	what := "gratuitous ARP"
	if strings.Contains(g.VIP, ":") {
		what = "unsolicited neighbour advertisement"
	}
	return what + " for " + g.VIP + " at the " + g.Edge + " edge"
}

// Forwarder marks a change of the node whose frames carry a VIP's packets at an edge.
type Forwarder struct {
	Edge string `json:"edge"`
	VIP  string `json:"vip,omitempty"` // "" for packets that keep their client's address
	From string `json:"from"`          // "" for the first; the node itself at the end of the capture
	// Last is when From's last frame was seen, and Frames how many it sent in its turn.
	Last   clock.Instant `json:"last,omitempty"`
	Frames uint64        `json:"frames,omitempty"`
}

// Stall says that the host did not schedule a watchdog for Took longer than asked, or that the
// generator of a line of traffic acted so much later than it meant to.
type Stall struct {
	Took Dur    `json:"took"`
	Line string `json:"line,omitempty"` // whose generator was behind
}

// Of says who was late: the host stood still, or a generator was behind.
func (s Stall) Of() string {
	if s.Line != "" {
		return "the generator of " + s.Line + " was behind"
	}
	return "the host stood still"
}

// Missed says that the trace lacks Count records of a kind. What it does not hold may be
// just what a check would have failed for.
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

// Loop is what a node's loop did lately.
type Loop struct {
	For    Dur `json:"for"`            // up to now
	Timers int `json:"timers"`         // that the core asked for and got
	Idle   int `json:"idle,omitempty"` // of them those from which nothing followed
	Late   int `json:"late,omitempty"` // idle ones after which the core wanted another at once
	// Replies are the deferred replies whose wait ended. Each may have needed a timer.
	Replies int `json:"replies,omitempty"`
}

// Refused says how many new flows of a service the dataplane has refused for one reason since the
// event before. It is written about once a second.
type Refused struct {
	Service string `json:"service"` // its name
	Why     string `json:"why"`     // the reason of the drops: service-limit, table-full …
	Count   uint64 `json:"count"`
}

// Died is the end of a node's process that nobody had asked for.
type Died struct {
	Why string `json:"why"` // its last log line
}

// Program says how a program that the scenario ran on a machine ended.
type Program struct {
	Name string `json:"name"`
	Exit int    `json:"exit"` // exit status; 128 plus the signal's number if a signal ended it
	Why  string `json:"why"`  // in words
	Took Dur    `json:"took"`
	Last string `json:"last,omitempty"` // the last line of its output
	// Output is the end of what it wrote, at most OutputLimit bytes; Cut says that it had
	// written more before.
	Output string `json:"output,omitempty"`
	Cut    bool   `json:"cut,omitempty"`
}

// OutputLimit is how much of a program's output a trace has.
const OutputLimit = 32 << 10

// Loss counts packets that were lost: those that a fault of the plan took, told when it
// is healed and at the end, or those that nobody meant to lose.
type Loss struct {
	Planned bool   `json:"planned"`
	Count   int    `json:"count"`
	Where   string `json:"where"` // a direction: syn client1>lb1 on clients; or a place of the machine
	Why     string `json:"why"`   // the verb, or what the machine lacked
}

// Leak names something that outlived its run.
type Leak struct {
	What string `json:"what"`
}

// Dur is a duration that is written as Go prints it ("150ms").
type Dur time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Dur) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Dur) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Dur(v)
	return err
}
