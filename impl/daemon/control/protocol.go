// Package control is the local control of a running node: a unix socket on which
// a request is a line of JSON and its answer another. The daemon serves it, and
// `baton status`, `baton handover` and the namespace world are its clients. The
// package holds no state of a node; it asks the Node that it is given.
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
	Limit   int    `json:"limit,omitempty"` // table: the most entries to answer with

	Service string         `json:"service,omitempty"` // drain, ready
	Backend netip.AddrPort `json:"backend,omitzero"`  // likewise
	For     time.Duration  `json:"for,omitempty"`     // drain: the time until its deadline
	Fault   string         `json:"fault,omitempty"`   // break: of package faulty
	Edit    config.Edit    `json:"edit,omitzero"`     // edit
}

// response is the line that answers it. Error is set if the request was not
// carried out.
type response struct {
	Error  string  `json:"error,omitempty"`
	Status *Status `json:"status,omitempty"`
	Entry  *Entry  `json:"entry,omitempty"`
	Table  *Table  `json:"table,omitempty"`
	// Changes lists what a reload, edit, break or mend changed.
	Changes []string `json:"changes,omitempty"`
}

// Status is what a node, its dataplane and its event loop show of themselves.
type Status struct {
	node.Status
	Dataplane Counters  `json:"dataplane"`
	Loop      Loop      `json:"loop"`
	Stream    Stream    `json:"stream"`
	Services  []Service `json:"services"`
	// Pinned is how the table fares that is to outlive the process; nil without pin.
	Pinned *Pinned `json:"pinned,omitempty"`
	// Deleted names the services of the file that were deleted at run time.
	Deleted []string `json:"deleted,omitempty"`
	// Conflicts are the VIPs that a host has claimed which is not of this pair.
	Conflicts []Conflict `json:"conflicts,omitempty"`
	// Alarms are what an operator should look after, each in a sentence.
	Alarms []string `json:"alarms,omitempty"`
}

// Outcomes of a start with pin.
const (
	PinAdopted = "adopted" // Status.Adopted says what was found
	PinRefused = "refused"
	PinNew     = "new" // the folder held no table
)

// PinOutcomes lists them.
var PinOutcomes = []string{PinAdopted, PinRefused, PinNew}

// Pinned is the folder of a pinned table, and what became of the one that was found there.
type Pinned struct {
	Dir     string `json:"dir"`
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"` // a table was refused, and removed
}

// Conflict is a VIP with another claimant.
type Conflict struct {
	VIP  netip.Addr `json:"vip"`
	Link string     `json:"link"`
	MAC  string     `json:"mac"` // of the last packet
	// MaybePeer says that this may be the peer, whose hardware address on the link is not
	// known, and which this node does not know to stand by.
	MaybePeer bool          `json:"maybe_peer"`
	Count     uint64        `json:"count"`
	Answered  uint64        `json:"answered"` // announcements with which this node has answered
	Ago       time.Duration `json:"ago"`      // since the last packet
}

// Service is a service with its backends.
type Service struct {
	Name string `json:"name"`
	At   string `json:"at"` // protocol, VIP and port
	// Serving is the number of backends that get new flows; with 0 new flows are dropped or refused.
	Serving int  `json:"serving"`
	Checked bool `json:"checked"` // its backends are probed
	Refuses bool `json:"refuses"` // with no backend serving, new flows are answered, not only dropped
	// Refused counts new flows that were dropped since the service was configured: no-backend,
	// no-port, table-full.
	Refused map[string]uint64 `json:"refused,omitempty"`
	// Edited is changed or added if that was done at run time, and empty if it is as in the
	// file.
	Edited   string    `json:"edited,omitempty"`
	Backends []Backend `json:"backends"`
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
	// Follows: the peer, the MASTER, decides its state. Disagrees: this node's probes say
	// otherwise.
	Follows   bool `json:"follows,omitempty"`
	Disagrees bool `json:"disagrees,omitempty"`
}

// Stream is how the sync stream's transport fares.
type Stream struct {
	Up bool `json:"up"`
	// Cause and Why are how the last stream ended, or why none came about; empty if
	// nothing has ended or failed yet.
	Cause string `json:"cause,omitempty"`
	Why   string `json:"why,omitempty"`
	// Failures is how many attempts in a row came to nothing, Retry how long it is to
	// the next one; 0 at the end that does not dial.
	Failures int               `json:"failures"`
	Retry    time.Duration     `json:"retry"`
	Ends     map[string]uint64 `json:"ends"` // streams that ended and attempts that failed, by cause
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
	Evicted           uint64            `json:"evicted"`
	Dropped           map[string]uint64 `json:"dropped"` // by dataplane.Drop
}

// CountersFrom names the dataplane's counters.
func CountersFrom(c dataplane.Counters) Counters {
	out := Counters{
		ForwardedOriginal: c.Forwarded[0], ForwardedReply: c.Forwarded[1],
		BytesOriginal: c.Bytes[0], BytesReply: c.Bytes[1],
		Created: c.Created, Adopted: c.Adopted, ARPReplies: c.ARPReplies, EventsLost: c.EventsLost, Unproven: c.Unproven,
		Fragments: c.Fragments, EchoReplies: c.EchoReplies, ICMPErrors: c.ICMPErrors, Resets: c.Resets, Evicted: c.Evicted,
		Dropped: map[string]uint64{},
	}
	for reason := range dataplane.DropKinds {
		out.Dropped[reason.String()] = c.Dropped[reason]
	}
	return out
}

// Loop is how the event loop fares.
type Loop struct {
	Steps uint64 `json:"steps"`
	// LateMax is how long after the core's deadline the loop came to it at worst,
	// LateSum all such times together; Late counts them by the daemon's buckets.
	LateMax time.Duration `json:"late_max"`
	LateSum time.Duration `json:"late_sum"`
	Late    []uint64      `json:"late"`
	// SendErrors counts BFD packets that the kernel refused, by path.
	SendErrors map[string]uint64 `json:"send_errors"`
	// Failures counts calls of the dataplane and the network that failed, by call.
	Failures map[string]uint64 `json:"failures"`
	// Strangers counts BFD packets of addresses other than the peer's, by path.
	Strangers map[string]uint64 `json:"strangers"`
	// RecordsDropped counts trace events and log lines for which there was no room.
	RecordsDropped uint64 `json:"records_dropped"`
	// Unserved counts replicated entries that this node's configuration would not have made,
	// by reason. They are kept, and take hold once it would.
	Unserved map[string]uint64 `json:"unserved,omitempty"`
}

// Entry is how a dataplane knows a flow.
type Entry struct {
	// Origin is opened, synced or adopted; none if the flow is not known.
	Origin  string `json:"origin"`
	State   string `json:"state,omitempty"`
	Backend string `json:"backend,omitempty"`
}

// NoEntry is the Origin of a flow that is not in the table.
const NoEntry = "none"

// Table is a dataplane's connection table, or the part of it that was asked for.
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
	Remaining time.Duration `json:"remaining"` // lifetime left if no packet comes
}

// TableFrom names what entries hold.
func TableFrom(entries []flow.Entry, total int) Table {
	t := Table{Total: total, Flows: make([]Flow, len(entries))}
	for i, e := range entries {
		t.Flows[i] = Flow{Original: e.Original.String(), Reply: e.Reply.String(),
			State: e.State.String(), Origin: e.Origin.String(), Remaining: e.Remaining}
	}
	return t
}
