// Package control is the local control interface of a running node: a unix socket with one
// line of JSON per request and per answer. The daemon serves it; `baton status`, `baton
// handover` and the namespace world are clients. The package has no state of a node; it
// asks a Node.
package control

import (
	"net/netip"
	"time"

	"baton/impl/daemon/config"
	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/node"
)

// Commands.
const (
	cmdStatus   = "status"
	cmdHandover = "handover"
	cmdEntry    = "entry"
	cmdTable    = "table"
	cmdStop     = "stop"
	cmdReload   = "reload"
	cmdDrain    = "drain"
	cmdReady    = "ready"
	cmdEdit     = "edit"
	cmdBreak    = "break"
	cmdMend     = "mend"
)

// request is one line from the client.
type request struct {
	Command string `json:"command"`
	Tuple   string `json:"tuple,omitempty"` // entry: see ParseTuple
	Limit   int    `json:"limit,omitempty"` // table: maximum number of entries

	Service string         `json:"service,omitempty"` // drain, ready
	Backend netip.AddrPort `json:"backend,omitzero"`  // likewise
	For     time.Duration  `json:"for,omitempty"`     // drain: time until the deadline
	Fault   string         `json:"fault,omitempty"`   // break: of package faulty
	Edit    config.Edit    `json:"edit,omitzero"`     // edit
}

// response is the answer line. Error is set if the request failed.
type response struct {
	Error  string  `json:"error,omitempty"`
	Status *Status `json:"status,omitempty"`
	Entry  *Entry  `json:"entry,omitempty"`
	Table  *Table  `json:"table,omitempty"`
	// Changes lists what a reload, edit, break or mend changed.
	Changes []string `json:"changes,omitempty"`
}

// Status is the state of a node, its dataplane and its event loop.
type Status struct {
	node.Status
	Dataplane Counters  `json:"dataplane"`
	Loop      Loop      `json:"loop"`
	Stream    Stream    `json:"stream"`
	Services  []Service `json:"services"`
	Hook      Hook      `json:"hook"`
	// Pinned describes the pinned table; nil without pin.
	Pinned *Pinned `json:"pinned,omitempty"`
	// Deleted names the services of the file that were deleted at run time.
	Deleted []string `json:"deleted,omitempty"`
	// Conflicts are the VIPs that a host outside of this pair has claimed.
	Conflicts []Conflict `json:"conflicts,omitempty"`
	// Alarms are what an operator should look into, each in a sentence.
	Alarms []string `json:"alarms,omitempty"`
}

// Hook is where the dataplane's programs are attached: tcx or xdp. Why says why auto chose tcx.
type Hook struct {
	Name string `json:"name"`
	Why  string `json:"why,omitempty"`
}

// Outcomes of a start with a pin folder.
const (
	PinAdopted = "adopted" // see Status.Adopted
	PinRefused = "refused"
	PinNew     = "new" // the folder held no table
)

// PinOutcomes lists them.
var PinOutcomes = []string{PinAdopted, PinRefused, PinNew}

// Pinned is the folder of a pinned table and what happened to the table found there.
type Pinned struct {
	Dir     string `json:"dir"`
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"` // why the table was refused and removed
}

// Conflict is a VIP that another host claims.
type Conflict struct {
	VIP  netip.Addr `json:"vip"`
	Link string     `json:"link"`
	MAC  string     `json:"mac"` // of the last packet
	// MaybePeer means that the claimant may be the peer: its hardware address on the link
	// is unknown, and it has not said that it does not serve.
	MaybePeer bool          `json:"maybe_peer"`
	Count     uint64        `json:"count"`
	Answered  uint64        `json:"answered"` // announcements in answer to the claims
	Ago       time.Duration `json:"ago"`      // since the last packet
}

// Service is a service with its backends.
type Service struct {
	Name string `json:"name"`
	At   string `json:"at"` // protocol, VIP and port
	// Serving is the number of backends that get new flows; with 0 new flows are dropped or refused.
	Serving int  `json:"serving"`
	Checked bool `json:"checked"` // its backends are health-checked
	Refuses bool `json:"refuses"` // without a serving backend, new flows are refused, not only dropped
	// Refused counts dropped new flows since the service was configured: no-backend,
	// no-port, table-full, service-limit, source-limit, challenged.
	Refused map[string]uint64 `json:"refused,omitempty"`
	// Ports is the use of SNAT ports to the backend with the most flows, as counted about once a
	// second while the node is MASTER; nil for a service without SNAT.
	Ports *PortUse `json:"snat_ports,omitempty"`
	// Edited is "changed" or "added" if that was done at run time, and empty if the service
	// equals the file's.
	Edited   string    `json:"edited,omitempty"`
	Backends []Backend `json:"backends"`
}

// PortUse is how many SNAT ports of this node's half the flows to one backend use.
type PortUse struct {
	Backend string `json:"backend"` // address and port
	Used    int    `json:"used"`
	Ports   int    `json:"ports"` // those of all of the service's SNAT addresses
}

// Backend is a backend of a service.
type Backend struct {
	At       string        `json:"at"`    // address and port
	State    string        `json:"state"` // of health.State
	Weight   int           `json:"weight"`
	Why      string        `json:"why,omitempty"`  // the reason for its state, or its last failure
	Since    time.Duration `json:"since"`          // time in this state
	Left     time.Duration `json:"left,omitempty"` // time until the drain's deadline
	Probes   uint64        `json:"probes"`
	Failures uint64        `json:"failures"` // probes that failed
	// Undecided are the probes that have shown nothing.
	Undecided uint64 `json:"undecided,omitempty"`
	// Follows means that the peer, the MASTER, decides its state. Disagrees means that this
	// node's probes say otherwise.
	Follows   bool `json:"follows,omitempty"`
	Disagrees bool `json:"disagrees,omitempty"`
}

// Stream is the state of the sync stream's transport.
type Stream struct {
	Up bool `json:"up"`
	// Cause and Why describe how the last stream ended or the last attempt failed; empty if
	// there was none.
	Cause string `json:"cause,omitempty"`
	Why   string `json:"why,omitempty"`
	// Failures is the number of consecutive failed attempts, Retry the time until the next
	// one; 0 at the end that does not dial.
	Failures int               `json:"failures"`
	Retry    time.Duration     `json:"retry"`
	Ends     map[string]uint64 `json:"ends"` // ended streams and failed attempts, by cause
}

// Counters are the dataplane's, by name.
type Counters struct {
	ForwardedOriginal uint64            `json:"forwarded_original"`
	ForwardedReply    uint64            `json:"forwarded_reply"`
	BytesOriginal     uint64            `json:"bytes_original"`
	BytesReply        uint64            `json:"bytes_reply"`
	Created           uint64            `json:"created"`
	Adopted           uint64            `json:"adopted"`
	ARPReplies        uint64            `json:"arp_replies"`
	EventsLost        uint64            `json:"events_lost"`
	Unproven          uint64            `json:"unproven"`
	Fragments         uint64            `json:"fragments"`
	EchoReplies       uint64            `json:"echo_replies"`
	ICMPErrors        uint64            `json:"icmp_errors"`
	Resets            uint64            `json:"resets"`
	Relayed           uint64            `json:"relayed"`
	Evicted           uint64            `json:"evicted"`
	Deferred          uint64            `json:"deferred"`
	Undeferred        uint64            `json:"undeferred"`
	Dropped           map[string]uint64 `json:"dropped"` // by dataplane.Drop
	// XDPOriginal and XDPReply count the packets forwarded by XDP, XDPLeft those that it passed to TCX, by reason.
	XDPOriginal uint64            `json:"xdp_original"`
	XDPReply    uint64            `json:"xdp_reply"`
	XDPLeft     map[string]uint64 `json:"xdp_left"`
}

// CountersFrom converts the dataplane's counters.
func CountersFrom(c dataplane.Counters) Counters {
	out := Counters{
		ForwardedOriginal: c.Forwarded[0], ForwardedReply: c.Forwarded[1],
		BytesOriginal: c.Bytes[0], BytesReply: c.Bytes[1],
		Created: c.Created, Adopted: c.Adopted, ARPReplies: c.ARPReplies, EventsLost: c.EventsLost, Unproven: c.Unproven,
		Fragments: c.Fragments, EchoReplies: c.EchoReplies, ICMPErrors: c.ICMPErrors, Resets: c.Resets, Relayed: c.Relayed, Evicted: c.Evicted,
		Deferred: c.Deferred, Undeferred: c.Undeferred,
		Dropped:     map[string]uint64{},
		XDPOriginal: c.Fast.Forwarded[0], XDPReply: c.Fast.Forwarded[1], XDPLeft: map[string]uint64{},
	}
	for why := range dataplane.LeftKinds {
		out.XDPLeft[why.String()] = c.Fast.Left[why]
	}
	for reason := range dataplane.DropKinds {
		out.Dropped[reason.String()] = c.Dropped[reason]
	}
	return out
}

// Loop is the state of the event loop.
type Loop struct {
	Steps uint64 `json:"steps"`
	// LateMax is the maximum lateness of the loop after the core's deadline, LateSum the
	// sum of all. Late is the histogram, by the daemon's buckets.
	LateMax time.Duration `json:"late_max"`
	LateSum time.Duration `json:"late_sum"`
	Late    []uint64      `json:"late"`
	// SendErrors counts BFD packets that the kernel refused, by path.
	SendErrors map[string]uint64 `json:"send_errors"`
	// Failures counts failed calls of the dataplane and the network, by call.
	Failures map[string]uint64 `json:"failures"`
	// UnexpectedSource counts BFD packets from an address other than the peer's, by path.
	UnexpectedSource map[string]uint64 `json:"unexpected_source"`
	// RecordsDropped counts trace events and log lines dropped because the queue was full.
	RecordsDropped uint64 `json:"records_dropped"`
	// Unserved counts replicated entries that do not match this node's configuration, by
	// reason. They are kept, and used once they match.
	Unserved map[string]uint64 `json:"unserved,omitempty"`
}

// Entry is a dataplane's entry of a flow.
type Entry struct {
	// Origin is opened, synced or adopted; none if the flow is not known.
	Origin  string `json:"origin"`
	State   string `json:"state,omitempty"`
	Backend string `json:"backend,omitempty"`
}

// NoEntry is the Origin of a flow that is not in the table.
const NoEntry = "none"

// Table is a dataplane's connection table, or the requested part of it.
type Table struct {
	Total int    `json:"total"` // entries in the table
	Flows []Flow `json:"flows"` // in no order
}

// Flow is one entry of a connection table.
type Flow struct {
	Original  string        `json:"original"` // as flow.Tuple prints it
	Reply     string        `json:"reply"`
	State     string        `json:"state"`
	Origin    string        `json:"origin"`
	Remaining time.Duration `json:"remaining"` // remaining lifetime without further packets
}

// TableFrom converts entries.
func TableFrom(entries []flow.Entry, total int) Table {
	t := Table{Total: total, Flows: make([]Flow, len(entries))}
	for i, e := range entries {
		t.Flows[i] = Flow{Original: e.Original.String(), Reply: e.Reply.String(),
			State: e.State.String(), Origin: e.Origin.String(), Remaining: e.Remaining}
	}
	return t
}
