package sim

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"baton/impl/bfd"
	"baton/impl/ctsync"
	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// Interface names inside a load balancer.
const (
	clientSide  = "client0"
	backendSide = "backend0"
)

// pathLinks are the links of the BFD paths.
var pathLinks = [...]uint8{onClients, onSync}

// settings reads the plan's keys for one node.
type settings struct {
	plan *plan.Plan
	node string
	err  error
}

func (s *settings) text(key string) string { return s.plan.Value(plan.Sim, s.node, key) }

func (s *settings) duration(key string) time.Duration {
	d, err := time.ParseDuration(s.text(key))
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("sim: %s of %s: %w", key, s.node, err)
	}
	return d
}

func (s *settings) number(key string) int {
	n, err := strconv.Atoi(s.text(key))
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("sim: %s of %s: %w", key, s.node, err)
	}
	return n
}

// defers reports whether a node defers replies.
func (s *settings) defers() bool { return s.text("sync.defer") == "established" }

// nodeConfig returns the configuration of a node's core. boot adds what each start draws anew:
// incarnation, discriminators and seeds.
func nodeConfig(p *plan.Plan, vips int, seed uint64, id string) (node.Config, error) {
	s := settings{plan: p, node: id}
	session := bfd.Config{
		LocalDiscr: 1, DesiredMinTxInterval: s.duration("bfd.tx"), RequiredMinRxInterval: s.duration("bfd.rx"),
		DetectMult: uint8(s.number("bfd.mult")),
	}
	cfg := node.Config{
		ID: id, Peer: lab.Peer(id), Priority: uint8(s.number("ha.priority")), Hold: s.duration("ha.hold"),
		Links: []string{clientSide, backendSide},
		Track: node.Track{Targets: p.Targets(plan.Sim, id), Misses: s.number("track.misses")},
		Sync:  ctsync.Config{Key: split(seed, "sync key"), Capacity: s.number("max_flows")},
		Paths: []node.Path{
			{Name: lab.Clients, BFD: session},
			{Name: lab.Sync, BFD: session, CarriesSync: true},
		},
		Scrub:         true,
		Arbiter:       arbiterConfig(p, id, s.number("track.misses")),
		Announce:      node.Pace{VIPs: vips, Seed: split(seed, "announcements of "+id)},
		GatesOff:      s.text("ha.gates") == "off",
		AnnounceEarly: s.text("ha.announce") == "before-install",
	}
	for i := range cfg.Paths {
		cfg.Paths[i].BFD.Auth = heartbeatAuth(seed, id, cfg.Paths[i].Name)
	}
	if s.defers() {
		cfg.Defer = s.duration("sync.defer_limit")
	}
	switch s.text("ha.preempt") {
	case "after-sync":
		cfg.Preempt = node.PreemptAfterSync
	case "immediate":
		cfg.Preempt = node.PreemptImmediate
	}
	return cfg, s.err
}

func arbiterConfig(p *plan.Plan, id string, misses int) node.Arbiter {
	a := node.Arbiter{Validity: p.Validity(plan.Sim)}
	if name := p.Gateway(plan.Sim, id); name != "" {
		a.Gateway = node.Gateway{Name: name, Rise: misses, Fall: misses}
	}
	if p.KeepsServing(plan.Sim) {
		a.Policy = node.KeepServing
	}
	return a
}

// heartbeatAuth configures the authentication of a path's session, with one key for each direction
// as in the daemon.
func heartbeatAuth(seed uint64, id, path string) bfd.Auth {
	key := func(from string) bfd.Key {
		secret := binary.BigEndian.AppendUint64(nil, split(seed, "heartbeat/"+from+"/"+path))
		return bfd.Key{ID: uint8(1 + slices.Index(lab.Nodes(), from)), Secret: secret, SendOnly: from == id}
	}
	mine := key(id)
	return bfd.Auth{Type: bfd.AuthMeticulousKeyedSHA1, Keys: []bfd.Key{mine, key(lab.Peer(id))}, SendKey: mine.ID, Resumes: true}
}

// protocolVersion is the newest version of the sync protocol that a node offers.
func protocolVersion(p *plan.Plan, id string) (uint8, error) {
	s := settings{plan: p, node: id}
	return uint8(s.number("sync.version")), s.err
}

// dataplaneConfig is the configuration of a node's dataplane.
func (w *World) dataplaneConfig(id string) (dataplane.Config, error) {
	s := settings{plan: w.plan, node: id}
	var ports dataplane.PortRange // of the pair; each node opens flows from its own half
	ports.First, ports.Last = w.plan.SNATPorts(plan.Sim)
	cfg := dataplane.Config{
		ClientLink: clientSide, BackendLink: backendSide, MaxFlows: s.number("max_flows"), SNATPorts: ports.Lower(), SNATPeer: ports.Upper(),
		SNATSeed: split(w.cfg.Seed, "snat ports"),
		Timeouts: dataplane.Timeouts{
			SynSent: s.duration("timeouts.syn_sent"), Established: s.duration("timeouts.established"),
			FinWait: s.duration("timeouts.fin_wait"), Closed: s.duration("timeouts.closed"),
			DirectFinWait: s.duration("timeouts.direct_fin_wait"),
			Unreplied:     s.duration("timeouts.unreplied"), Assured: s.duration("timeouts.assured"),
		},
	}
	cfg.Defer = s.defers()
	if w.plan.Pins(plan.Sim, id) {
		cfg.Pin = "of " + id
	}
	if id != lab.Nodes()[0] {
		cfg.SNATPorts, cfg.SNATPeer = cfg.SNATPeer, cfg.SNATPorts
	}
	for _, v := range w.vips {
		name := clientSide
		if v.link == onBackends {
			name = backendSide
		}
		cfg.VIPs = append(cfg.VIPs, dataplane.VIP{Addr: v.addr.Netip(), Link: name})
	}
	cfg.Services = w.withBackends(len(w.hosts))
	return cfg, s.err
}

// withBackends returns the services with at most the first most backends each.
func (w *World) withBackends(most int) []dataplane.Service {
	var services []dataplane.Service
	for _, s := range w.services {
		b := w.balanced(s)
		b.Backends = b.Backends[:min(most, len(b.Backends))]
		services = append(services, b)
	}
	return services
}

func (w *World) balanced(s service) dataplane.Service {
	b := dataplane.Service{Service: s.id, Name: s.Name, Mode: dataplane.ModeOf(s.Mode), Balance: dataplane.BalanceOf(s.Balance), Affinity: s.Affinity}
	if !s.Direct() {
		b.SNAT = snatVIP[familyOf(s.id.VIP)]
		for _, a := range s.Family().BackendVIPs(s.SNAT)[1:] {
			b.SNATPool = append(b.SNATPool, flow.AddrFrom(a))
		}
	}
	one := settings{plan: w.plan, node: lab.Nodes()[0]} // both nodes have the same services
	b.Refuse = one.text("check.all_down") == "refuse"
	b.Limits = dataplane.Limits{Flows: one.number("limits.flows"), Embryonic: one.number("limits.embryonic"),
		SourceFlows: one.number("limits.source_flows"), SourceEmbryonic: one.number("limits.source_embryonic"),
		SYNChallenge: one.number("limits.syn_challenge")}
	for i := int(w.firstBack); i < len(w.hosts); i++ {
		b.Backends = append(b.Backends, dataplane.Backend{Addr: w.hosts[i].addrs[s.BackendFamily()], Port: s.BackendPort()})
	}
	return b
}

func missPolicy(guess bool) dataplane.MissPolicy {
	if guess {
		return dataplane.MissGuess
	}
	return dataplane.MissAdopt
}
