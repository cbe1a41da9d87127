package dpbench

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cilium/ebpf"
	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/bpf"
	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Options set the length of a measurement.
type Options struct {
	Rounds  int    // each row is measured once per round, and its minimum counts
	Packets uint32 // of a row in a round
}

// way is a kind of forwarding: how its lab is set up, and how its table is emptied.
type way struct {
	setUp func(*lab) (empty func() error, err error)
	// wire means that the frames arrive in the link's driver, as from a wire: the kernel has not
	// allocated an sk_buff for them.
	wire bool
}

// row is one line of the table.
type row struct {
	name  string
	way   string
	from  source
	fresh bool // each packet opens a flow
	lands bool // the packets arrive at the other end
	best  time.Duration
	valid int // rounds in which all packets met the row's expectation
}

const (
	redirectWay = "bare redirect"
	dropWay     = "drop"
	forwardWay  = "plain forward"
	nftWay      = "nft NAT"
	batonWay    = "baton"

	wireDropWay     = "XDP drop"
	wireRedirectWay = "XDP bare redirect"
	wireNftWay      = "nft NAT from the wire"
	wireTCXWay      = "baton from the wire"
	wireXDPWay      = "baton xdp"
	many            = 10_000
	freshFlows      = 60_000
)

var ways = map[string]way{
	dropWay:     {setUp: func(l *lab) (func() error, error) { return nil, l.attach("client0", l.objs.Discard) }},
	redirectWay: {setUp: func(l *lab) (func() error, error) { return nil, l.attach("client0", l.objs.BareRedirect) }},
	forwardWay:  {setUp: func(*lab) (func() error, error) { return nil, route() }},
	nftWay:      {setUp: func(*lab) (func() error, error) { return flushConntrack, nftNAT() }},
	batonWay:    {setUp: func(l *lab) (func() error, error) { return openBaton(l, dataplane.HookTCX) }},

	wireDropWay:     {wire: true, setUp: func(l *lab) (func() error, error) { return nil, l.attachDriver("client0", l.objs.DiscardFrame) }},
	wireRedirectWay: {wire: true, setUp: func(l *lab) (func() error, error) { return nil, l.attachDriver("client0", l.objs.RedirectFrame) }},
	wireNftWay:      {wire: true, setUp: func(l *lab) (func() error, error) { return flushConntrack, errors.Join(l.takeFrames(), nftNAT()) }},
	wireTCXWay: {wire: true, setUp: func(l *lab) (func() error, error) {
		if err := l.takeFrames(); err != nil {
			return nil, err
		}
		return openBaton(l, dataplane.HookTCX)
	}},
	wireXDPWay: {wire: true, setUp: func(l *lab) (func() error, error) { return openBaton(l, dataplane.HookXDP) }},
}

func flushConntrack() error { return netlink.ConntrackTableFlush(netlink.ConntrackTable) }

// openBaton opens the dataplane with the flows of the rows in its table.
func openBaton(l *lab, hook dataplane.Hook) (func() error, error) {
	var known []flow.Entry
	service := dataplane.Service{
		Service: flow.Service{VIP: vip, Port: servicePort, Proto: flow.TCP}, Name: "web",
		Mode: dataplane.FullNAT, Balance: dataplane.RoundRobin, SNAT: snat,
	}
	for _, b := range backends {
		service.Backends = append(service.Backends, dataplane.Backend{Addr: b, Port: backendPort})
	}
	flooded := service
	flooded.Name, flooded.Port, flooded.Limits.SYNChallenge = "flooded", floodedPort, 1
	associated, tunnelled := service, service
	associated.Name, associated.Port, associated.Proto = "gw", sctpPort, flow.SCTP
	tunnelled.Name, tunnelled.Port, tunnelled.Mode, tunnelled.SNAT = "direct", tunnelPort, dataplane.DSRIPIP, flow.Addr{}
	tunnelled.Backends = nil
	for _, b := range backends {
		tunnelled.Backends = append(tunnelled.Backends, dataplane.Backend{Addr: b, Port: tunnelPort})
	}
	for i := range uint16(many) {
		add := func(o, r flow.Tuple) {
			known = append(known, flow.Entry{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced, Remaining: time.Hour})
		}
		for _, s := range []dataplane.Service{service, associated} {
			add(flow.Tuple{Proto: s.Proto, Src: client, SrcPort: 1024 + i, Dst: vip, DstPort: s.Port},
				flow.Tuple{Proto: s.Proto, Src: backends[0], SrcPort: backendPort, Dst: snat, DstPort: 1024 + i})
		}
		o := flow.Tuple{Proto: flow.TCP, Src: client, SrcPort: 1024 + i, Dst: vip, DstPort: tunnelPort}
		add(o, flow.DirectReply(o, backends[0]))
	}
	d, err := bpf.Open(dataplane.Config{
		ClientLink: "client0", BackendLink: "backend0", Services: []dataplane.Service{service, flooded, associated, tunnelled},
		SNATPorts: dataplane.PortRange{First: 1024, Last: 65535}, Timeouts: dataplane.DefaultTimeouts(), Hook: hook,
	})
	if err != nil {
		return nil, err
	}
	l.closers = append(l.closers, d.Close)
	empty := func() error {
		var all []flow.Tuple
		if err := d.Dump(func(e flow.Entry) bool { all = append(all, e.Original); return true }); err != nil {
			return err
		}
		if _, err := d.Poll(dataplane.AllPending, func(flow.Event) {}); err != nil {
			return err
		}
		return errors.Join(d.Delete(all), d.Apply(known))
	}
	return empty, errors.Join(d.Lease(clock.Never), empty())
}

func rows() []*row {
	original := source{link: "client0", from: clients, to: vip, proto: flow.TCP, port: servicePort, flags: ack, flows: 1}
	plain := original
	plain.to = backends[0]
	reply := source{link: "backend0", from: backends[0], to: snat, proto: flow.TCP, port: backendPort, flags: ack, flows: 1, replies: true}
	missing := original
	missing.from[1]++ // a client without a flow
	opening := original
	opening.flags, opening.flows = syn, freshFlows
	flood := opening
	flood.port, flood.flows = floodedPort, many
	association, associationReply, tunnel, tunnelOpening := original, reply, original, opening
	association.proto, association.port, associationReply.proto = flow.SCTP, sctpPort, flow.SCTP
	tunnel.port, tunnelOpening.port = tunnelPort, tunnelPort
	spread := func(s source) source { s.flows = many; return s }
	return []*row{
		{name: "drop", way: dropWay, from: original, lands: true},
		{name: "bare redirect", way: redirectWay, from: original, lands: true},
		{name: "plain forward", way: forwardWay, from: plain, lands: true},
		{name: "nft NAT, 1 flow", way: nftWay, from: original, lands: true},
		{name: "nft NAT, 10,000 flows", way: nftWay, from: spread(original), lands: true},
		{name: "nft NAT, new flow", way: nftWay, from: opening, fresh: true, lands: true},
		{name: "baton, 1 flow", way: batonWay, from: original, lands: true},
		{name: "baton, 10,000 flows", way: batonWay, from: spread(original), lands: true},
		{name: "baton reply, 1 flow", way: batonWay, from: reply, lands: true},
		{name: "baton reply, 10,000 flows", way: batonWay, from: spread(reply), lands: true},
		{name: "baton miss", way: batonWay, from: missing},
		{name: "baton, new flow", way: batonWay, from: opening, fresh: true, lands: true},
		{name: "baton, SYN challenged", way: batonWay, from: flood, lands: true}, // the answer
		{name: "baton sctp, 1 flow", way: batonWay, from: association, lands: true},
		{name: "baton sctp, 10,000 flows", way: batonWay, from: spread(association), lands: true},
		{name: "baton sctp reply, 1 flow", way: batonWay, from: associationReply, lands: true},
		{name: "baton dsr-ipip, 1 flow", way: batonWay, from: tunnel, lands: true},
		{name: "baton dsr-ipip, 10,000 flows", way: batonWay, from: spread(tunnel), lands: true},
		{name: "baton dsr-ipip, new flow", way: batonWay, from: tunnelOpening, fresh: true, lands: true},
		{name: "XDP drop", way: wireDropWay, from: original, lands: true},
		{name: "XDP bare redirect", way: wireRedirectWay, from: original, lands: true},
		{name: "nft NAT from the wire, 1 flow", way: wireNftWay, from: original, lands: true},
		{name: "nft NAT from the wire, 10,000 flows", way: wireNftWay, from: spread(original), lands: true},
		{name: "baton from the wire, 1 flow", way: wireTCXWay, from: original, lands: true},
		{name: "baton from the wire, 10,000 flows", way: wireTCXWay, from: spread(original), lands: true},
		{name: "baton xdp, 1 flow", way: wireXDPWay, from: original, lands: true},
		{name: "baton xdp, 10,000 flows", way: wireXDPWay, from: spread(original), lands: true},
		{name: "baton xdp reply, 1 flow", way: wireXDPWay, from: reply, lands: true},
		{name: "baton xdp reply, 10,000 flows", way: wireXDPWay, from: spread(reply), lands: true},
		{name: "baton xdp miss", way: wireXDPWay, from: missing},
		{name: "baton xdp sctp, 1 flow", way: wireXDPWay, from: association, lands: true},
		{name: "baton xdp sctp, 10,000 flows", way: wireXDPWay, from: spread(association), lands: true},
		{name: "baton xdp dsr-ipip, 1 flow", way: wireXDPWay, from: tunnel, lands: true},
		{name: "baton xdp dsr-ipip, 10,000 flows", way: wireXDPWay, from: spread(tunnel), lands: true},
		{name: "baton xdp, new flow", way: wireXDPWay, from: opening, fresh: true, lands: true},
	}
}

// Run measures all rows once per round, so that a slow phase of the machine affects all
// of them.
func Run(o Options, progress func(string)) (Result, error) {
	all := rows()
	labs := map[string]*lab{}
	empties := map[string]func() error{}
	defer func() {
		for _, l := range labs {
			l.close()
		}
	}()
	for name, w := range ways {
		l, err := newLab(w.wire)
		if err != nil {
			return Result{}, err
		}
		labs[name] = l
		if err := l.inside(func() (err error) { empties[name], err = w.setUp(l); return err }); err != nil {
			return Result{}, fmt.Errorf("dpbench: set up %s: %w", name, err)
		}
	}
	for round := range o.Rounds {
		progress(fmt.Sprintf("round %d of %d", round+1, o.Rounds))
		for _, r := range all {
			l := labs[r.way]
			if err := l.inside(func() error { return r.measure(l, empties[r.way], o.Packets) }); err != nil {
				return Result{}, fmt.Errorf("dpbench: measure %s: %w", r.name, err)
			}
		}
	}
	for _, r := range all {
		if r.valid == 0 {
			return Result{}, fmt.Errorf("dpbench: %s: in none of %d rounds its packets went as they should", r.name, o.Rounds)
		}
	}
	return Result{rows: all, rounds: o.Rounds}, nil
}

// measure runs the frames of a row through the host, and keeps the minimum time.
func (r *row) measure(l *lab, empty func() error, packets uint32) error {
	if r.fresh {
		packets = min(packets, freshFlows)
	}
	if empty != nil {
		if err := empty(); err != nil {
			return err
		}
	}
	i, err := net.InterfaceByName(r.from.link)
	if err != nil {
		return err
	}
	err = errors.Join(l.objs.Pattern.Set(r.from.pattern(i.HardwareAddr)), l.objs.Flows.Set(r.from.flows),
		l.objs.Replies.Set(r.from.replies), l.objs.NextFlow.Set(uint64(0)), l.objs.ByWire.Set(ways[r.way].wire))
	if err == nil && !r.fresh { // the first packet of each flow is not measured
		_, err = l.send(i, max(r.from.flows, 1000))
	}
	if err != nil {
		return err
	}
	if err := l.objs.Arrived.Set(uint64(0)); err != nil {
		return err
	}
	took, err := l.send(i, packets)
	if err != nil {
		return err
	}
	ok, err := r.wentItsWay(l, packets)
	if err != nil || !ok {
		return err
	}
	r.valid++
	if each := took / time.Duration(packets); r.best == 0 || each < r.best {
		r.best = each
	}
	return nil
}

// wentItsWay reports whether the packets arrived or were dropped as the row expects. On a busy
// machine the kernel does some of the work in its own thread, whose time is not measured, and
// queues overflow.
func (r *row) wentItsWay(l *lab, sent uint32) (bool, error) {
	var arrived uint64
	if err := l.objs.Arrived.Get(&arrived); err != nil {
		return false, err
	}
	if !r.lands {
		return arrived == 0, nil
	}
	return arrived >= uint64(sent)-uint64(sent)/1000, nil
}

// xdpContext is struct xdp_md of linux/bpf.h.
type xdpContext struct {
	Data, DataEnd, DataMeta, Ingress, Queue, Egress uint32
}

// liveFrames is BPF_F_TEST_XDP_LIVE_FRAMES: packets that the program passes enter the stack.
const liveFrames = 1 << 1

// send makes packets arrive on a link, and returns the CPU time of the thread that they took.
// On a wire its other end sends them.
func (l *lab) send(by *net.Interface, packets uint32) (took time.Duration, err error) {
	if !l.driven {
		return l.generate(by.Index, packets)
	}
	err = l.ends.Do(func(ns.NetNS) error {
		other, err := net.InterfaceByName(by.Name)
		if err == nil {
			took, err = l.generate(other.Index, packets)
		}
		return err
	})
	return took, err
}

func (l *lab) generate(link int, packets uint32) (time.Duration, error) {
	if err := l.objs.Sender.Set(uint32(unix.Gettid())); err != nil {
		return 0, err
	}
	// With priority over every other thread: the kernel then does all of the work in this one.
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0); err != nil {
		return 0, err
	}
	defer unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0)
	before, err := threadTime()
	if err != nil {
		return 0, err
	}
	_, err = l.objs.Generate.Run(&ebpf.RunOptions{
		Data: make([]byte, frameLen), Repeat: packets, Flags: liveFrames,
		Context: xdpContext{DataEnd: frameLen, Ingress: uint32(link)},
	})
	if err != nil {
		return 0, err
	}
	after, err := threadTime()
	return after - before, err
}

func threadTime() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano()), err
}
