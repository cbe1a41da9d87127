// Package netns is the real-kernel world: a pair of load balancers with clients and
// backends in network namespaces, the node processes, the faults done to both, each with
// its receipt, and the check that nothing is left afterwards.
//
// The namespaces have no names. Descriptors hold them, so that parallel pairs cannot
// collide and the end of the harness, however sudden, ends them. The package never touches
// the initial namespace, reaches a node only as a process, and judges nothing. The runner of
// scenarios calls it.
package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"

	"baton/scenarios/lab"
)

// Pair is a running topology: clients – switch – lb1, lb2 – switch – backends, and a cable
// between lb1 and lb2. It is safe for concurrent use until Close.
type Pair struct {
	topo   lab.Topo
	match  func(only, link string) lab.Match // resolves a selector's "only" word on a link
	hosts  []*Host
	byName map[string]*Host

	mu      sync.Mutex
	cuts    []*rule
	floods  []*flooding // all floods started
	filters map[attachPoint]*filter
	// programs are the ids of all filter programs ever loaded.
	programs []uint32
}

// forwardingTimeout bounds the wait for the switches. It takes milliseconds, longer on a
// loaded machine that does not schedule the kernel's worker.
const forwardingTimeout = 5 * time.Second

// NewPair builds a pair. On error it leaves nothing behind.
func NewPair(topo lab.Topo) (*Pair, error) {
	for what, n := range map[string]int{lab.Clients: topo.Clients, lab.Backends: topo.Backends} {
		if n < 1 || n > lab.MaxHosts {
			return nil, fmt.Errorf("netns: build pair: %d %s, want 1 to %d", n, what, lab.MaxHosts)
		}
	}
	p := newPair(topo)
	if err := p.build(layout(topo)); err != nil {
		for _, leak := range p.Close(context.Background()) {
			err = errors.Join(err, errors.New(leak.What))
		}
		return nil, err
	}
	return p, nil
}

// newPair returns a pair that is not built.
func newPair(topo lab.Topo) *Pair {
	return &Pair{topo: topo, match: kindOnly, byName: map[string]*Host{}, filters: map[attachPoint]*filter{}}
}

// kindOnly resolves the kinds of packets, not services.
func kindOnly(only, _ string) lab.Match {
	kind, _ := lab.PacketKindOf(only)
	return kind.Match
}

// Host returns the host of that name, nil if there is none.
func (p *Pair) Host(name string) *Host { return p.byName[name] }

// Hosts returns the hosts in their order: the switches, lb1, lb2, clients, backends.
func (p *Pair) Hosts() []*Host { return append([]*Host(nil), p.hosts...) }

// Names returns the names of the hosts with the role, in order.
func (p *Pair) Names(role Role) []string {
	var names []string
	for _, h := range p.hosts {
		if h.role == role {
			names = append(names, h.name)
		}
	}
	return names
}

// Owner returns the interface that has the MAC address.
func (p *Pair) Owner(mac net.HardwareAddr) (Interface, bool) {
	for _, h := range p.hosts {
		for _, i := range h.interfaces {
			if i.MAC.String() == mac.String() {
				return i, true
			}
		}
	}
	return Interface{}, false
}

// build makes the namespaces, then the links of each switch and the cable.
func (p *Pair) build(blueprints []blueprint) error {
	if err := p.makeHosts(blueprints); err != nil {
		return err
	}
	var links errgroup.Group
	links.Go(func() error { return p.buildSwitch(lab.Clients) })
	links.Go(func() error { return p.buildSwitch(lab.Backends) })
	links.Go(p.buildCable)
	if err := links.Wait(); err != nil {
		return fmt.Errorf("netns: build pair: %w", err)
	}
	return p.awaitForwarding()
}

// makeHosts makes the namespaces in parallel. After an error the hosts that were made are
// p's.
func (p *Pair) makeHosts(blueprints []blueprint) error {
	p.hosts = make([]*Host, len(blueprints))
	var spaces errgroup.Group
	for i, b := range blueprints {
		spaces.Go(func() (err error) {
			p.hosts[i], err = newHost(b)
			return err
		})
	}
	err := spaces.Wait()
	made := p.hosts[:0]
	for _, h := range p.hosts {
		if h != nil {
			made = append(made, h)
			p.byName[h.name] = h
		}
	}
	p.hosts = made
	return err
}

// awaitForwarding waits until every port of the switches forwards. An earlier frame would
// be lost; if it was an ARP request, the retry would come a second later.
func (p *Pair) awaitForwarding() error {
	ctx, cancel := context.WithTimeout(context.Background(), forwardingTimeout)
	defer cancel()
	for _, h := range p.hosts {
		for _, i := range h.interfaces {
			if _, err := p.awaitCarrier(ctx, i, true); err != nil {
				return fmt.Errorf("netns: build pair: %w", err)
			}
		}
	}
	return nil
}

// buildSwitch makes the bridge of a link and plugs the hosts in.
func (p *Pair) buildSwitch(link string) error {
	sw := p.byName[link]
	// No multicast snooping: nobody here would answer its queries.
	snooping := false
	bridge := &netlink.Bridge{MulticastSnooping: &snooping, LinkAttrs: netlink.LinkAttrs{
		Name: Bridge, Index: bridgeIndex, HardwareAddr: mac(link, RoleSwitch, 0), Flags: net.FlagUp, Group: linkGroup, TxQLen: -1}}
	if err := sw.links.LinkAdd(bridge); err != nil {
		return fmt.Errorf("add bridge of switch %s: %w", link, err)
	}
	for _, h := range p.hosts {
		i, ok := h.Interface(link)
		if !ok {
			continue
		}
		port := netlink.LinkAttrs{Name: h.name, Index: i.PortIndex, MasterIndex: bridgeIndex,
			HardwareAddr: mac(link, RoleSwitch, i.PortIndex), Flags: net.FlagUp, Group: linkGroup, TxQLen: -1}
		if err := connect(sw, port, h, i); err != nil {
			return err
		}
	}
	return nil
}

// buildCable connects lb1 and lb2 directly.
func (p *Pair) buildCable() error {
	a, b := p.byName[lab.Nodes()[0]], p.byName[lab.Nodes()[1]]
	near, _ := a.Interface(lab.Sync)
	far, _ := b.Interface(lab.Sync)
	end := netlink.LinkAttrs{Name: near.Name, Index: syncIndex, HardwareAddr: near.MAC, Group: linkGroup, TxQLen: -1}
	if err := connect(a, end, b, far); err != nil {
		return err
	}
	return a.configure(near)
}

// connect makes a veth with one end in each namespace and configures the far end.
func connect(near *Host, end netlink.LinkAttrs, far *Host, i Interface) error {
	veth := &netlink.Veth{LinkAttrs: end, PeerName: i.Name, PeerHardwareAddr: i.MAC,
		PeerNamespace: netlink.NsFd(int(far.space.Fd()))}
	if err := near.links.LinkAdd(veth); err != nil {
		return fmt.Errorf("add veth %s/%s - %s/%s: %w", near.name, end.Name, far.name, i.Name, err)
	}
	return far.configure(i)
}

// configure gives an interface its addresses and sets it up. A backend's default routes
// addLeg to the backend-side VIP: in dnat mode its replies must pass the load balancer; in
// fullnat mode the routes are unused.
func (h *Host) configure(i Interface) error {
	link, err := h.links.LinkByName(i.Name)
	if err != nil {
		return fmt.Errorf("find %s/%s: %w", h.name, i.Name, err)
	}
	for _, prefix := range i.Addrs() {
		addr, err := addressOf(prefix)
		if err != nil {
			return err
		}
		if err := h.links.AddrReplace(link, addr); err != nil {
			return fmt.Errorf("add address %s to %s/%s: %w", prefix, h.name, i.Name, err)
		}
	}
	if err := h.links.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s/%s up: %w", h.name, i.Name, err)
	}
	return h.routeBy(i)
}

// route adds a backend's routes, which the kernel deletes when their link goes down.
func (h *Host) route() error {
	for _, i := range h.interfaces {
		if err := h.routeBy(i); err != nil {
			return err
		}
	}
	return nil
}

// routeBy adds a backend's routes by an interface.
func (h *Host) routeBy(i Interface) error {
	switch {
	case h.role != RoleBackend:
		return nil
	case i.Link == lab.Clients:
		return h.routeDirectly(i)
	}
	link, err := h.links.LinkByName(i.Name)
	if err != nil {
		return fmt.Errorf("find %s/%s: %w", h.name, i.Name, err)
	}
	for _, addr := range i.Addrs() {
		vip := lab.FamilyOf(addr.Addr()).BackendVIP()
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: vip.AsSlice()}
		if err := h.links.RouteReplace(route); err != nil {
			return fmt.Errorf("add default route via %s to %s: %w", vip, h.name, err)
		}
	}
	return nil
}
