// Package preflight finds out before a node starts what would keep it from serving: missing
// features of its host, and conflicts between its configuration and its peer's. Look reads
// the host once; everything else is a function of its facts.
package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"baton/impl/daemon/config"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// A Finding is the outcome of one check.
type Finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Text  string `json:"text"` // what was found, or what is wrong and how to fix it
}

// Facts are the facts of a host that Look collects.
type Facts struct {
	Capabilities uint64 // of this process, as the kernel numbers them
	Links        []Link
	Busy         map[string]string // why the node cannot have an address or path that it needs
	LeftPins     []dataplane.LeftPins
	Unpinnable   string // why the node cannot pin its maps, "" if it can
	Attachment   dataplane.Attachment
	Unreached    string // why the gateway does not answer, "" if it does or there is none
	// Routed are the backends of dsr-l2 services that are not neighbours on the backend link.
	Routed []netip.Addr
	// Unrouted are the backends of dsr-ipip services to which no route leads over the backend link.
	Unrouted     []netip.Addr
	Unattachable string // why the programs cannot be attached to the links as configured, "" if they can
}

// A Link is an interface of the host.
type Link struct {
	Name      string
	Carrier   bool
	MTU       int
	Addresses []netip.Addr
}

// Needed are the capabilities that a node uses, with their purpose.
var Needed = []struct {
	Bit       uint
	Name, For string
}{
	{12, "NET_ADMIN", "links and tcx programs"},
	{39, "BPF", "programs and maps"},
	{38, "PERFMON", "pointers in programs"},
	{13, "NET_RAW", "ARP and probes"},
	{23, "SYS_NICE", "a heartbeat in real time"},
	{14, "IPC_LOCK", "locked memory"},
}

// Host checks a configuration against its host.
func Host(c *config.Config, f Facts) []Finding {
	found := []Finding{capabilities(f), links(c, f), addresses(c, f), vips(c, f), mtu(c, f), free(f)}
	if c.Hook == config.HookXDP || c.Hook == config.HookAuto {
		found = append(found, hook(f))
	}
	if c.Pin != "" {
		found = append(found, pin(c, f))
	}
	if len(c.DirectBackends()) > 0 {
		found = append(found, direct(c, f))
	}
	if len(c.TunnelBackends()) > 0 {
		found = append(found, tunnels(c, f))
	}
	if c.Arbiter.Gateway.IsValid() {
		found = append(found, gateway(c, f))
	}
	if len(f.LeftPins) > 0 {
		found = append(found, leftPins(f))
	}
	return found
}

// hook says where established flows would be forwarded.
func hook(f Facts) Finding {
	if f.Unattachable != "" {
		return finding("dataplane", "", []string{f.Unattachable})
	}
	text := f.Attachment.Hook.String()
	if f.Attachment.Why != "" {
		text += ": " + f.Attachment.Why
	}
	return finding("dataplane", text, nil)
}

// direct says which backends of dsr-l2 services are not neighbours on the backend link.
func direct(c *config.Config, f Facts) Finding {
	var wrong []string
	for _, a := range f.Routed {
		wrong = append(wrong, fmt.Sprintf("backend %v is not reached directly on %s; dsr-l2 needs it on that link", a, c.Links.Backend))
	}
	return finding("direct backends", "all are on "+c.Links.Backend, wrong)
}

// tunnels says which backends cannot get encapsulated packets, whose source is an address of the
// backend link.
func tunnels(c *config.Config, f Facts) Finding {
	var wrong []string
	for _, a := range f.Unrouted {
		wrong = append(wrong, fmt.Sprintf("backend %v is not reached by %s; dsr-ipip needs a route to it on that link", a, c.Links.Backend))
	}
	link, _ := f.link(c.Links.Backend)
	for _, s := range c.Services {
		if s.Mode != config.DSRIPIP {
			continue
		}
		backend := s.Backends[0].Addr()
		if !f.hasSource(c.Links.Backend, backend.Is4()) {
			wrong = append(wrong, fmt.Sprintf("service %s: %s has no address of the family of the backend %v; dsr-ipip sends from one", s.Name, c.Links.Backend, backend))
		}
		if needs := least + dataplane.Outer(flow.AddrFrom(backend)); !s.VIP.Is4() && link.MTU > 0 && link.MTU < needs {
			wrong = append(wrong, fmt.Sprintf("service %s: %s has an MTU of %d, which leaves %d inside an outer header for %v; IPv6 needs %d (RFC 8200 5): give it at least %d",
				s.Name, c.Links.Backend, link.MTU, link.MTU-dataplane.Outer(flow.AddrFrom(backend)), backend, least, needs))
		}
	}
	return finding("tunnel backends", "all are reached by "+c.Links.Backend, wrong)
}

// hasSource reports whether a link has an address of a family that is valid beyond the link.
func (f Facts) hasSource(link string, is4 bool) bool {
	l, _ := f.link(link)
	return slices.ContainsFunc(l.Addresses, func(a netip.Addr) bool { return a.Is4() == is4 && !a.IsLinkLocalUnicast() })
}

func pin(c *config.Config, f Facts) Finding {
	if f.Unpinnable != "" {
		return finding("pin", "", []string{f.Unpinnable})
	}
	return finding("pin", "the table can outlive the process in "+c.Pin, nil)
}

func leftPins(f Facts) Finding {
	var wrong []string
	for _, l := range f.LeftPins {
		wrong = append(wrong, l.String())
	}
	return finding("pins that are left", "", wrong)
}

// finding returns a passing Finding with text if wrong is empty, else a failing one.
func finding(check, text string, wrong []string) Finding {
	if len(wrong) > 0 {
		return Finding{check, false, strings.Join(wrong, "; ")}
	}
	return Finding{check, true, text}
}

func capabilities(f Facts) Finding {
	var lacks []string
	for _, n := range Needed {
		if f.Capabilities&(1<<n.Bit) == 0 {
			lacks = append(lacks, fmt.Sprintf("no CAP_%s, needed for %s", n.Name, n.For))
		}
	}
	return finding("capabilities", "all that a node needs", lacks)
}

func (f Facts) link(name string) (Link, bool) {
	i := slices.IndexFunc(f.Links, func(l Link) bool { return l.Name == name })
	if i < 0 {
		return Link{}, false
	}
	return f.Links[i], true
}

// holder returns the link that has an address.
func (f Facts) holder(a netip.Addr) (Link, bool) {
	i := slices.IndexFunc(f.Links, func(l Link) bool { return slices.Contains(l.Addresses, a) })
	if i < 0 {
		return Link{}, false
	}
	return f.Links[i], true
}

func links(c *config.Config, f Facts) Finding {
	var wrong []string
	for _, name := range c.UsedLinks() {
		switch l, ok := f.link(name); {
		case !ok:
			wrong = append(wrong, name+" does not exist")
		case !l.Carrier:
			wrong = append(wrong, name+" has no carrier")
		}
	}
	return finding("links", strings.Join(c.UsedLinks(), ", ")+" have carrier", wrong)
}

func addresses(c *config.Config, f Facts) Finding {
	var wrong []string
	for _, p := range c.BFD.Paths {
		if l, ok := f.holder(p.Local); !ok || l.Name != p.Link {
			wrong = append(wrong, fmt.Sprintf("path %s: %v is not an address of %s", p.Name, p.Local, p.Link))
		}
	}
	if _, ok := f.holder(c.Sync.Local.Addr()); !ok {
		wrong = append(wrong, fmt.Sprintf("sync.local: %v is not an address of this host", c.Sync.Local.Addr()))
	}
	return finding("addresses", "those of the paths and of the sync stream are on their links", wrong)
}

// gateway must answer: a node that does not reach it does not serve.
func gateway(c *config.Config, f Facts) Finding {
	var wrong []string
	source := c.Arbiter.Source.Addr
	if _, ok := f.holder(source); source.IsValid() && !ok {
		wrong = append(wrong, fmt.Sprintf("arbiter.source: %v is not an address of this host", source))
	} else if f.Unreached != "" {
		wrong = append(wrong, fmt.Sprintf("arbiter.gateway: %v does not answer: %s", c.Arbiter.Gateway, f.Unreached))
	}
	return finding("gateway", c.Arbiter.Gateway.String()+" answers", wrong)
}

// vips must not be assigned to the host: its TCP stack would answer with a RST.
func vips(c *config.Config, f Facts) Finding {
	var wrong []string
	for _, s := range c.Services {
		for _, a := range append([]netip.Addr{s.VIP}, s.SNATs()...) {
			if l, ok := f.holder(a); ok {
				wrong = append(wrong, fmt.Sprintf("service %s: %v is assigned to %s, so that the host answers for it; remove it there", s.Name, a, l.Name))
			}
		}
	}
	return finding("VIPs", "none is assigned to this host", wrong)
}

// least is the minimum MTU of IPv6 links (RFC 8200 5); below it the sync stream's segments
// become small.
const least = 1280

func mtu(c *config.Config, f Facts) Finding {
	client, _ := f.link(c.Links.Client)
	backend, _ := f.link(c.Links.Backend)
	sync, _ := f.holder(c.Sync.Local.Addr())
	var wrong []string
	if client.MTU > backend.MTU && backend.MTU > 0 {
		wrong = append(wrong, fmt.Sprintf("%s has %d and %s has %d: full-sized packets of clients would not fit", client.Name, client.MTU, backend.Name, backend.MTU))
	}
	if sync.MTU < least && sync.MTU > 0 {
		wrong = append(wrong, fmt.Sprintf("%s, the sync link, has %d: give it at least %d", sync.Name, sync.MTU, least))
	}
	return finding("MTU", fmt.Sprintf("clients %d, backends %d, sync %d", client.MTU, backend.MTU, sync.MTU), wrong)
}

func free(f Facts) Finding {
	var wrong []string
	for what, why := range f.Busy {
		wrong = append(wrong, what+": "+why)
	}
	slices.Sort(wrong)
	return finding("ports", "free, or a node runs already and has them", wrong)
}
