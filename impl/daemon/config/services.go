package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"baton/impl/catalog"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func checkServices(d *document, c *Config) error {
	if err := checkLimits(d, "limits", c.Limits); err != nil {
		return err
	}
	if len(c.Services) == 0 {
		return d.fail("services", "is empty; add at least one service")
	}
	if len(c.Services) > dataplane.MaxServices {
		return d.fail(index("services", dataplane.MaxServices), "is one too many; a node has at most %d services", dataplane.MaxServices)
	}
	names := map[string]string{}
	identities := map[string]string{}
	for i, s := range c.Services {
		at := index("services", i)
		if err := checkService(d, at, s); err != nil {
			return err
		}
		if first, twice := names[s.Name]; twice {
			return d.fail(at+".name", "%q names the service on %s too; services need names of their own", s.Name, first)
		}
		names[s.Name] = d.place(at + ".name")
		identity := s.identity().String()
		if first, twice := identities[identity]; twice {
			return d.fail(at+".vip", "%s is the service on %s already; use another VIP or port", identity, first)
		}
		identities[identity] = d.place(at + ".vip")
	}
	return checkRanges(d, c)
}

func checkService(d *document, at string, s Service) error {
	if s.Name == "" || strings.ContainsAny(s.Name, " \t\n") {
		return d.fail(at+".name", "%q is not a name; use one word, such as web", s.Name)
	}
	if len(s.Name) > catalog.MaxName {
		return d.fail(at+".name", "has %d bytes; use at most %d", len(s.Name), catalog.MaxName)
	}
	if err := checkRouted(d, at+".vip", s.VIP); err != nil {
		return err
	}
	if err := checkSNAT(d, at, s); err != nil {
		return err
	}
	if err := checkPool(d, at, s); err != nil {
		return err
	}
	if len(s.Backends) == 0 {
		return d.fail(at+".backends", "is empty; add at least one backend, such as 198.18.1.11:80")
	}
	seen := map[netip.AddrPort]string{}
	for i, b := range s.Backends {
		path := index(at+".backends", i)
		if err := checkRouted(d, path, b.Addr()); err != nil {
			return err
		}
		if err := checkBackendFamily(d, path, b.Addr(), s); err != nil {
			return err
		}
		if first, twice := seen[b]; twice {
			return d.fail(path, "%v is the backend on %s already; name each backend once", b, first)
		}
		seen[b] = d.place(path)
	}
	if err := checkPorts(d, at, s); err != nil {
		return err
	}
	if err := checkWeights(d, at, s); err != nil {
		return err
	}
	if err := checkAffinity(d, at, s); err != nil {
		return err
	}
	if err := checkLimits(d, at+".limits", s.Limits); err != nil {
		return err
	}
	return checkCheck(d, at, s)
}

// Bounds of affinity. Expired entries are removed once a second.
const (
	minAffinity = time.Second
	maxAffinity = 7 * 24 * time.Hour
)

func checkAffinity(d *document, at string, s Service) error {
	if a := time.Duration(s.Affinity); d.has(at+".affinity") && (a < minAffinity || a > maxAffinity) {
		return d.fail(at+".affinity", "%v is out of range; use %v to %v, or leave it out", a, minAffinity, maxAffinity)
	}
	return nil
}

// checkFamily rejects an address of another family than the VIP's: packets are not
// translated between families; they reach the other family only encapsulated.
func checkFamily(d *document, path string, a, vip netip.Addr) error {
	if a.Is4() != vip.Is4() {
		return d.fail(path, "%v is not of the family of the VIP %v; a service is of IPv4 or of IPv6, and a node may have both kinds; only the backends of dsr-ipip may be of the other family", a, vip)
	}
	return nil
}

// checkBackendFamily rejects backends of two families, and backends of another family than the VIP's
// unless packets to them are encapsulated.
func checkBackendFamily(d *document, path string, a netip.Addr, s Service) error {
	if !s.Mode.encapsulates() {
		return checkFamily(d, path, a, s.VIP)
	}
	if first := s.Backends[0].Addr(); a.Is4() != first.Is4() {
		return d.fail(path, "%v is not of the family of the service's first backend, %v; the backends of a service are all of IPv4 or all of IPv6", a, first)
	}
	return nil
}

// checkAddresses rejects an address with two roles: two machines would answer for a VIP
// that a host owns, and a VIP on both links would have two owners.
func checkAddresses(d *document, c *Config) error {
	type user struct {
		what, place string
	}
	hosts, vips := map[netip.Addr]user{}, map[netip.Addr]user{}
	for i, p := range c.BFD.Paths {
		at := index("bfd.paths", i)
		hosts[p.Local] = user{"this node's address on path " + p.Name, d.place(at + ".local")}
		hosts[p.Peer] = user{"the peer's address on path " + p.Name, d.place(at + ".peer")}
	}
	hosts[c.Sync.Local.Addr()] = user{"sync.local", d.place("sync.local")}
	hosts[c.Sync.Peer.Addr()] = user{"sync.peer", d.place("sync.peer")}
	if u, taken := hosts[c.Arbiter.Gateway.Addr]; taken {
		return d.fail("arbiter.gateway", "%v is %s (%s); name a third host", c.Arbiter.Gateway, u.what, u.place)
	}
	for i, s := range c.Services {
		for j, b := range s.Backends {
			path := index(index("services", i)+".backends", j)
			if _, taken := hosts[b.Addr()]; !taken {
				hosts[b.Addr()] = user{"a backend of service " + s.Name, d.place(path)}
			}
		}
		vips[s.VIP] = user{"the VIP of service " + s.Name, d.place(index("services", i) + ".vip")}
	}
	if u, taken := vips[c.Arbiter.Gateway.Addr]; taken {
		return d.fail("arbiter.gateway", "%v is %s (%s), which the MASTER itself answers for; name a third host", c.Arbiter.Gateway, u.what, u.place)
	}
	if u, taken := vips[c.Arbiter.Source.Addr]; taken {
		return d.fail("arbiter.source", "%v is %s (%s), which only the MASTER has; use an address of this node", c.Arbiter.Source, u.what, u.place)
	}
	for i, target := range c.Track.Targets {
		if u, taken := vips[target]; taken {
			return d.fail(index("track.targets", i), "%v is %s (%s), which the MASTER itself answers for; track hosts", target, u.what, u.place)
		}
	}
	for i, s := range c.Services {
		at := index("services", i)
		if u, taken := hosts[s.VIP]; taken {
			return d.fail(at+".vip", "%v is %s (%s); a VIP must not be a host's address", s.VIP, u.what, u.place)
		}
		for j, a := range s.SNATs() {
			path := at + ".snat"
			if j > 0 {
				path = at + ".snat_pool"
			}
			if u, taken := hosts[a]; taken {
				return d.fail(path, "%v is %s (%s); the backend-side VIP must not be a host's address", a, u.what, u.place)
			}
			if u, taken := vips[a]; taken {
				return d.fail(path, "%v is %s (%s); use another address, on the backend link", a, u.what, u.place)
			}
			if a == c.Arbiter.Gateway.Addr {
				return d.fail("arbiter.gateway", "%v is a SNAT address of service %s (%s), which the MASTER itself answers for; name a third host", a, s.Name, d.place(path))
			}
		}
	}
	return nil
}

// Dataplane returns the dataplane's configuration.
func (c *Config) Dataplane() dataplane.Config {
	out := dataplane.Config{
		ClientLink: c.Links.Client, BackendLink: c.Links.Backend,
		SNATPorts: dataplane.PortRange(c.SNATHalf()),
		SNATPeer:  dataplane.PortRange(c.snatHalf(c.Peer, c.Node)),
		Timeouts:  c.Timeouts.Dataplane(),
		MaxFlows:  c.MaxFlows,
		DropEcho:  c.Ping == PingDrop,
		Hook:      dataplane.HookOf(string(c.Hook)),
		Defer:     c.Sync.Defer == DeferEstablished,

		KeepEmbryonic: c.Evict == EvictNone,
		Pin:           c.Pin,
		VIPs:          c.VIPs(),
	}
	for _, s := range c.Services {
		out.Services = append(out.Services, s.Dataplane())
	}
	return out
}

// VIPs returns each virtual address once, with the link on which the MASTER answers for it:
// the services' VIPs on the clients' link, their SNAT VIPs on the backends'.
func (c *Config) VIPs() []dataplane.VIP {
	var vips []dataplane.VIP
	seen := map[netip.Addr]bool{}
	add := func(a netip.Addr, link string) {
		if !seen[a] {
			seen[a] = true
			vips = append(vips, dataplane.VIP{Addr: a, Link: link})
		}
	}
	for _, s := range c.Services {
		add(s.VIP, c.Links.Client)
		for _, a := range s.SNATs() {
			add(a, c.Links.Backend)
		}
	}
	return vips
}

// DirectBackends returns the addresses of the backends to which packets are addressed only by
// Ethernet address, each once.
func (c *Config) DirectBackends() []netip.Addr {
	return c.backends(func(m Mode) bool { return m.direct() && !m.encapsulates() })
}

// TunnelBackends returns the addresses of the backends that get encapsulated packets, each once.
func (c *Config) TunnelBackends() []netip.Addr { return c.backends(Mode.encapsulates) }

func (c *Config) backends(of func(Mode) bool) (all []netip.Addr) {
	for _, s := range c.Services {
		for _, b := range s.Backends {
			if of(s.Mode) && !slices.Contains(all, b.Addr()) {
				all = append(all, b.Addr())
			}
		}
	}
	return all
}

// identity returns the VIP, ports and protocol by which packets belong to the service.
func (s Service) identity() flow.Service {
	return flow.Service{VIP: flow.AddrFrom(s.VIP), Port: s.Port.First, Last: s.Port.Last, Proto: s.Proto.flow()}
}

// Dataplane returns the service's configuration for the dataplane.
func (s Service) Dataplane() dataplane.Service {
	out := dataplane.Service{
		Service: s.identity(),
		Name:    s.Name, Mode: dataplane.ModeOf(string(s.Mode)), Balance: dataplane.BalanceOf(string(s.Balance)),
	}
	if s.SNAT.IsValid() {
		out.SNAT, out.SNATPool = flow.AddrFrom(s.SNAT.Addr), s.pool()
	}
	for _, b := range s.Backends {
		out.Backends = append(out.Backends, dataplane.Backend{Addr: flow.AddrFrom(b.Addr()), Port: b.Port()})
	}
	out.Weights, out.Affinity = s.Weights, time.Duration(s.Affinity)
	out.Limits = dataplane.Limits(s.Limits)
	out.Refuse = s.Check.AllDown == AllDownRefuse
	return out
}
