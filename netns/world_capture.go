package netns

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"baton/impl/flow"
	"baton/netns/capture"
	"baton/scenarios/capability"
	"baton/scenarios/evidence"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// historyFactor is the ratio of memory for captured frames to the size of the capture
// files. A failure is recognised late, and its frames must still be in memory then.
const historyFactor = 4

// entryLimit bounds how long a node may take to look up a flow. It is asked right after the
// flow's RST; a dead node does not answer.
const entryLimit = 50 * time.Millisecond

// startCapture captures both edges for RSTs, announcements and forwarders, and keeps the
// frames of the edges that the plan names.
func (w *World) startCapture() error {
	cfg := capture.Config{
		Hosts: map[string]string{}, Addresses: map[netip.Addr]string{}, LoadBalancers: w.pair.Names(RoleLB), Record: w.record,
		WireRoles: slices.Contains(w.Lacks(), capability.Roles), Role: w.view.role, Fault: w.view.fault,
	}
	if !slices.Contains(w.Lacks(), capability.Table) {
		cfg.Entry = w.entry
	}
	for _, host := range w.pair.Hosts() {
		for _, i := range host.Interfaces() {
			cfg.Hosts[i.MAC.String()] = host.Name()
			for _, addr := range i.Addrs() {
				cfg.Addresses[addr.Addr()] = host.Name()
			}
			cfg.Addresses[linkLocal(i.MAC)] = host.Name()
		}
	}
	clients := capture.Edge{Name: lab.Clients, Host: w.pair.Host(lab.Clients), Interfaces: w.ports(lab.Clients)}
	for _, s := range w.services() {
		vip := netip.MustParseAddr(s.VIP)
		if !slices.Contains(clients.VIPs, vip) {
			clients.VIPs = append(clients.VIPs, vip)
		}
		cfg.Ports = append(cfg.Ports, plan.PortsOf(s, w.plan.Traffic)...)
	}
	backends := capture.Edge{
		Name: lab.Backends, Host: w.pair.Host(lab.Backends), Interfaces: w.ports(lab.Backends),
		Forwarded: w.clientNets(),
	}
	for _, f := range w.pair.topo.Families() {
		backends.VIPs = append(backends.VIPs, f.BackendVIPs(w.plan.SNATs(plan.Netns, f))...)
	}
	cfg.Edges = []capture.Edge{clients, backends}
	kept := w.plan.CaptureLinks(plan.Netns)
	if slices.Contains(kept, lab.Sync) {
		cfg.Edges = append(cfg.Edges, w.cable())
	}
	_, _, share := evidence.Shares(w.cfg.EvidenceLimit, len(kept))
	for i := range cfg.Edges {
		if slices.Contains(kept, cfg.Edges[i].Name) {
			cfg.Edges[i].Keep = historyFactor * int(share)
		}
	}
	var err error
	w.capture, err = capture.Start(cfg)
	return err
}

// linkLocal is the link-local address that the kernel derives from a MAC address (RFC 4291
// appendix A). Adverts over IPv6 come from it.
func linkLocal(mac net.HardwareAddr) netip.Addr {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]})
}

func (w *World) stopCapture() {
	if w.capture != nil {
		w.capture.Stop()
	}
}

// cable returns the sync cable, captured at lb1's end.
func (w *World) cable() capture.Edge {
	host := w.pair.Host("lb1")
	return capture.Edge{Name: lab.Sync, Host: host, Interfaces: map[int]string{syncIndex: host.Name()}, Cable: true}
}

// services returns the plan's services whose guard includes this world.
func (w *World) services() []plan.Service {
	return slices.DeleteFunc(slices.Clone(w.plan.Services), func(s plan.Service) bool { return !s.Guard.In(plan.Netns) })
}

// vipsOf returns the VIPs of the services that match.
func (w *World) vipsOf(is func(plan.Service) bool) (vips []netip.Addr) {
	for _, s := range w.services() {
		if is(s) {
			vips = append(vips, netip.MustParseAddr(s.VIP))
		}
	}
	return vips
}

// echoed returns the services whose backends the harness provides.
func (w *World) echoed() []plan.Service {
	return slices.DeleteFunc(w.services(), func(s plan.Service) bool { return s.Bare })
}

// ports maps the interface index of each switch port to the host that is plugged in.
func (w *World) ports(link string) map[int]string {
	ports := map[int]string{}
	for _, host := range w.pair.Hosts() {
		if i, ok := host.Interface(link); ok {
			ports[i.PortIndex] = host.Name()
		}
	}
	return ports
}

// clientNets returns the prefixes of the clients' addresses.
func (w *World) clientNets() []netip.Prefix {
	var nets []netip.Prefix
	for _, name := range w.pair.Names(RoleClient) {
		i, _ := w.pair.Host(name).Interface(lab.Clients)
		for _, addr := range i.Addrs() {
			if net := addr.Masked(); !slices.Contains(nets, net) {
				nets = append(nets, net)
			}
		}
	}
	return nets
}

// entry asks a node for its table entry of a flow.
func (w *World) entry(node string, t flow.Tuple) string {
	ctx, cancel := context.WithTimeout(context.Background(), entryLimit)
	defer cancel()
	entry, err := w.nodes.Entry(ctx, node, t)
	if err != nil {
		return "no answer"
	}
	return entry
}
