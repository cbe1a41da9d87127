// Package model is the dataplane in Go: it specifies, packet by packet, what the eBPF
// programs of package bpf do, and implements the same dataplane.Dataplane. Package bpf's
// tests run both through one harness; the simulator forwards its packets with it. It is
// pure: it reads no clock and does no IO; the time is the argument of the last Packet or
// Advance.
package model

import (
	"errors"
	"fmt"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

const (
	// defaultMaxEvents is the capacity of the programs' ring buffer: 4 MiB of records of 48
	// bytes.
	defaultMaxEvents = (4<<20 - 1) / 48
)

// MAC is an Ethernet address.
type MAC [6]byte

// Host is the part of the configuration that comes from the node's host.
type Host struct {
	ClientMAC, BackendMAC         MAC           // of the two links
	PeerClientMAC, PeerBackendMAC MAC           // of the peer's; zero if unknown
	Own                           []flow.Addr   // the host's own addresses
	Broadcast                     []flow.Addr   // broadcast addresses of its networks
	TunnelSources                 []flow.Addr   // the sources of encapsulated packets, one of each family
	MaxEvents                     int           // capacity for pending events; 0 means the programs' capacity
	MTU                           int           // MTU of both links; 0 means Ethernet's
	Send                          func(Outcome) // takes deferred frames that Release sends; may be nil
}

const ethernetMTU = 1500

// Dataplane is the model of one node's dataplane.
type Dataplane struct {
	cfg  dataplane.Config
	host Host
	now  clock.Instant

	lease      clock.Instant
	relayUntil clock.Instant
	miss       dataplane.MissPolicy
	roles      map[flow.Addr]AddressRole
	configured map[flow.Service]*service
	services   *dataplane.Finder // of those configured
	lifetimes  *dataplane.Lifetimes
	refusals   map[flow.Service]*dataplane.Refusals
	limited    map[flow.Service]bool // the services that have limits
	flowCounts dataplane.FlowCounts
	portsUsed  map[flow.Service]dataplane.PortUse // as of the last Sweep
	// Sources that have answered a challenge: until when that holds, and the order of validation.
	validated   map[dataplane.FlowCounter]clock.Instant
	validations []dataplane.FlowCounter
	// dnatBackends are senders whose packets are replies even without an entry.
	dnatBackends *dataplane.Finder

	conns   map[flow.Tuple]*conn      // by original tuple
	replies map[flow.Tuple]flow.Tuple // reply tuple to original tuple

	errors    map[*family]*icmpRate
	fragments map[datagramKey]*datagram
	// Datagrams that got an id of this node.
	fragmentIDs  uint16
	fragmentIDs6 uint32
	events       []flow.Event
	counters     dataplane.Counters
	closed       bool

	deferred     map[uint64]deferred // by id
	turns        [2]portTurns        // IPv4, IPv6
	rung         bool                // see Rung
	lastDeferred uint64

	walk []flow.Tuple // what Walk has yet to pass

	kept     flow.Pedigree // the table's pedigree
	adoption dataplane.Adoption
}

var _ dataplane.Dataplane = (*Dataplane)(nil)

// service is a configured service with its round-robin position.
type service struct {
	dataplane.Service
	own   uint16              // stands for all ports of the service
	slots []dataplane.Backend // set by the first new flow
	next  uint32              // position of round robin and, among equals, of LeastConn
	flows []uint32            // of LeastConn: see countFlows
}

// New returns a dataplane without a lease.
func New(cfg dataplane.Config, host Host) (*Dataplane, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.MaxFlows == 0 {
		cfg.MaxFlows = dataplane.DefaultMaxFlows
	}
	if cfg.ICMPRate == 0 {
		cfg.ICMPRate = dataplane.DefaultICMPRate
	}
	if host.MTU == 0 {
		host.MTU = ethernetMTU
	}
	if host.MaxEvents == 0 {
		host.MaxEvents = defaultMaxEvents
	}
	d := &Dataplane{
		cfg: cfg, host: host,
		conns: make(map[flow.Tuple]*conn), replies: make(map[flow.Tuple]flow.Tuple),
		fragments: make(map[datagramKey]*datagram), flowCounts: make(dataplane.FlowCounts),
		validated: make(map[dataplane.FlowCounter]clock.Instant), deferred: make(map[uint64]deferred),
		errors: map[*family]*icmpRate{v4: {}, v6: {}},
		turns:  [2]portTurns{PortTurns(cfg.SNATTurn), PortTurns(cfg.SNATTurn)},
	}
	if err := d.SetServices(cfg.Services, cfg.VIPs); err != nil {
		return nil, err
	}
	return d, nil
}

// Advance sets the model's time.
func (d *Dataplane) Advance(now clock.Instant) { d.now = now }

// Lease implements dataplane.Dataplane.
func (d *Dataplane) Lease(until clock.Instant) error {
	d.lease = until
	return nil
}

// SetMAC implements dataplane.Dataplane.
func (d *Dataplane) SetMAC(link string, mac [6]byte) error {
	return d.setMAC(link, mac, "hardware address", &d.host.ClientMAC, &d.host.BackendMAC)
}

// setMAC sets one of two addresses by the link that it belongs to.
func (d *Dataplane) setMAC(link string, mac MAC, what string, client, backend *MAC) error {
	switch link {
	case d.cfg.ClientLink:
		*client = mac
	case d.cfg.BackendLink:
		*backend = mac
	default:
		return fmt.Errorf("model: set %s: %q is neither of the links", what, link)
	}
	return nil
}

// Relay implements dataplane.Dataplane.
func (d *Dataplane) Relay(until clock.Instant) error {
	d.relayUntil = until
	return nil
}

// SetPeerMAC implements dataplane.Dataplane.
func (d *Dataplane) SetPeerMAC(link string, mac [6]byte) error {
	return d.setMAC(link, mac, "the peer's hardware address", &d.host.PeerClientMAC, &d.host.PeerBackendMAC)
}

// SetMiss implements dataplane.Dataplane.
func (d *Dataplane) SetMiss(p dataplane.MissPolicy) error {
	d.miss = p
	return nil
}

// SetServices implements dataplane.Dataplane.
func (d *Dataplane) SetServices(services []dataplane.Service, vips []dataplane.VIP) error {
	if err := dataplane.ValidateServices(services); err != nil {
		return err
	}
	roles, err := AddressRoles(d.cfg.BackendLink, vips, services, d.host)
	if err := errors.Join(err, d.host.CheckTunnels(services)); err != nil {
		return err
	}
	d.roles, d.cfg.VIPs = roles, vips
	d.lifetimes = dataplane.NewLifetimes(d.cfg.Timeouts, services)
	d.limited = dataplane.Limited(services)
	d.countFor(services)
	were := d.configured
	d.configured = make(map[flow.Service]*service)
	d.services = d.lifetimes.Services()
	var senders []flow.Service
	for _, s := range services {
		is, was := &service{Service: s}, were[s.Service]
		is.own, _ = d.services.OwnPort(s.Service)
		d.configured[s.Service] = is
		if was != nil && was.SameSlots(s) && was.Mode == s.Mode && was.SameSNAT(s) &&
			(was.Affinity > 0) == (s.Affinity > 0) && was.Refuse == s.Refuse && was.Limits == s.Limits && was.own == is.own {
			is.slots, is.next = was.slots, was.next
		}
		is.inheritFlows(was)
		for _, b := range s.Backends {
			if s.Mode == dataplane.DNAT {
				senders = append(senders, s.Sender(b))
			}
		}
	}
	d.dnatBackends = dataplane.NewFinder(senders)
	return nil
}

// Counters implements dataplane.Dataplane.
func (d *Dataplane) Counters() (dataplane.Counters, error) { return d.counters, nil }

// Close implements dataplane.Dataplane.
func (d *Dataplane) Close() error {
	d.closed = true
	return nil
}
