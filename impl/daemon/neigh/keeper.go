// Package neigh keeps the kernel's neighbour entries warm for all hosts to which a takeover
// must send at once: the backends, the clients of synced flows on the client link, and the
// routers to the other clients. A standby that has to resolve them first drops packets of
// every session.
//
// It asks the kernel to use an entry (RTM_NEWNEIGH with NTF_USE): the kernel resolves an
// absent or failed entry, confirms a stale one by unicast, and leaves a fresh one alone.
// The entries remain the kernel's own, where the eBPF program's bpf_redirect_neigh finds
// them. Everything runs on its own goroutine and socket; the daemon's loop only calls Note,
// which does not block.
//
// A Follower does the same for few neighbours, and reports their link-layer addresses to
// callers that send frames to them (the BFD speaker's echo packets) or must know whether
// the kernel can (the node's heartbeat).
package neigh

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/flow"
)

// Config configures a Keeper. Zero values mean the defaults named here.
type Config struct {
	ClientLink, BackendLink string
	Backends                []netip.Addr
	Log                     *slog.Logger
	Failed                  func() // called for each failed request; may be nil

	// Every is the interval of rounds over all targets, well below the kernel's
	// gc_stale_time of 60 s. Default 5 s.
	Every time.Duration
	// Rate limits the requests per second; a round over more targets takes longer. Default
	// 200.
	Rate int
	// MaxClients limits the number of clients. Default 4096.
	MaxClients int
}

func (c Config) withDefaults() Config {
	setDefault(&c.Every, 5*time.Second)
	setDefault(&c.Rate, 200)
	setDefault(&c.MaxClients, 4096)
	if c.Failed == nil {
		c.Failed = func() {}
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// target is one neighbour.
type target struct {
	link int // interface index
	addr netip.Addr
}

// Keeper keeps the entries of one network namespace.
type Keeper struct {
	cfg     Config
	netlink *netlink.Handle
	client  int // interface indices
	backend int

	backends atomic.Pointer[[]netip.Addr]
	observer observer
	noted    chan flow.Addr
	kick     chan struct{}

	clients map[netip.Addr]*health
	queue   []target // targets that are due
	failure string   // the last failure that was logged
}

// health counts the unanswered rounds of a client.
type health struct{ failed, skip int }

// forgetAfter is the number of consecutive unanswered attempts after which a client is
// dropped. Their spacing grows, so that absent hosts cause few broadcasts: with rounds of 5
// s this takes five minutes.
const forgetAfter = 6

// New returns a keeper for the calling thread's network namespace. The links must exist.
func New(cfg Config) (*Keeper, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("neigh: open netlink: %w", err)
	}
	k := &Keeper{
		cfg: cfg.withDefaults(), netlink: handle, noted: make(chan flow.Addr, 1024), kick: make(chan struct{}, 1),
		clients: map[netip.Addr]*health{},
	}
	k.backends.Store(&cfg.Backends)
	for _, l := range []struct {
		name  string
		index *int
	}{{cfg.ClientLink, &k.client}, {cfg.BackendLink, &k.backend}} {
		link, err := handle.LinkByName(l.name)
		if err != nil {
			handle.Close()
			return nil, fmt.Errorf("neigh: link %s: %w", l.name, err)
		}
		*l.index = link.Attrs().Index
	}
	k.observer.seen = map[flow.Addr]struct{}{}
	return k, nil
}

// Run keeps entries warm until ctx is done.
func (k *Keeper) Run(ctx context.Context) {
	round := time.NewTimer(0)
	defer round.Stop()
	pace := time.NewTicker(burstEvery)
	defer pace.Stop()
	for {
		var due <-chan time.Time // nil while nothing is queued
		if len(k.queue) > 0 {
			due = pace.C
		}
		select {
		case <-ctx.Done():
			return
		case <-round.C:
			k.startRound()
			round.Reset(k.cfg.Every)
		case <-k.kick:
			k.queue = nil // refreshed targets have lost their entries too
			k.startRound()
		case client := <-k.noted:
			k.welcome(client.Netip())
		case <-due:
			burst := min(len(k.queue), max(1, k.cfg.Rate*int(burstEvery)/int(time.Second)))
			for _, t := range k.queue[:burst] {
				k.use(t)
			}
			k.queue = k.queue[burst:]
		}
	}
}

// Close closes the keeper's socket, after Run has returned.
func (k *Keeper) Close() { k.netlink.Close() }

// burstEvery is the interval at which a part of the queue is processed.
const burstEvery = 50 * time.Millisecond

// Refresh starts a round at once: a link that went down has lost its entries.
func (k *Keeper) Refresh() {
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

// SetBackends replaces the backends and starts a round at once, so that new ones are
// resolved before their first packet.
func (k *Keeper) SetBackends(backends []netip.Addr) {
	k.backends.Store(&backends)
	k.Refresh()
}

// startRound queues the targets that are due, unless the previous round is not finished.
func (k *Keeper) startRound() {
	if len(k.queue) == 0 {
		k.observer.publish(k.prefixes())
		k.queue = append(k.due(k.states()), k.routers()...)
	}
}

// welcome resolves a new client before the refreshes.
func (k *Keeper) welcome(addr netip.Addr) {
	if _, known := k.clients[addr]; !known && len(k.clients) < k.cfg.MaxClients {
		k.clients[addr] = &health{}
		k.queue = slices.Insert(k.queue, 0, target{k.client, addr})
	}
}

// due returns the targets of this round: every backend, and every client that is not
// skipped for not answering.
func (k *Keeper) due(states map[target]int) []target {
	var due []target
	for _, addr := range *k.backends.Load() {
		due = append(due, target{k.backend, addr})
	}
	for addr, h := range k.clients {
		t := target{k.client, addr}
		switch state := states[t]; {
		case h.skip > 0:
			h.skip--
			continue
		case state != 0 && state&unusable == 0:
			h.failed = 0
		case h.failed == forgetAfter:
			delete(k.clients, addr)
			continue
		default:
			h.failed++
			h.skip = 1<<(h.failed-1) - 1
		}
		due = append(due, t)
	}
	return due
}

var families = []int{netlink.FAMILY_V4, netlink.FAMILY_V6}

func familyOf(addr netip.Addr) int {
	if addr.Is6() {
		return netlink.FAMILY_V6
	}
	return netlink.FAMILY_V4
}

// unusable are the states of an entry without a hardware address.
const unusable = netlink.NUD_FAILED | netlink.NUD_INCOMPLETE

// use asks the kernel to resolve or confirm one entry.
func (k *Keeper) use(t target) {
	err := k.netlink.NeighSet(&netlink.Neigh{
		LinkIndex: t.link, Family: familyOf(t.addr), IP: t.addr.AsSlice(), Flags: netlink.NTF_USE,
	})
	k.note("use the entry of "+t.addr.String(), err)
}

// states returns the state of every entry on the two links.
func (k *Keeper) states() map[target]int {
	states := map[target]int{}
	for _, link := range []int{k.client, k.backend} {
		for _, family := range families {
			list, err := k.netlink.NeighList(link, family)
			k.note("list entries", err)
			for _, n := range list {
				if addr, ok := netip.AddrFromSlice(n.IP); ok {
					states[target{link, addr.Unmap()}] = n.State
				}
			}
		}
	}
	return states
}

// routers returns the gateways of the routes over the two links.
func (k *Keeper) routers() []target {
	var routers []target
	for _, link := range []int{k.client, k.backend} {
		for _, family := range families {
			routes, err := k.netlink.RouteListFiltered(family, &netlink.Route{LinkIndex: link}, netlink.RT_FILTER_OIF)
			k.note("list routes", err)
			for _, r := range routes {
				if addr, ok := netip.AddrFromSlice(r.Gw); ok {
					routers = append(routers, target{link, addr.Unmap()})
				}
			}
		}
	}
	return routers
}

// prefixes returns the networks of the client link.
func (k *Keeper) prefixes() []netip.Prefix {
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: k.client}}
	var prefixes []netip.Prefix
	for _, family := range families {
		addrs, err := k.netlink.AddrList(link, family)
		k.note("list addresses", err)
		for _, a := range addrs {
			ones, _ := a.Mask.Size()
			if addr, ok := netip.AddrFromSlice(a.IP); ok && !addr.IsLinkLocalUnicast() {
				prefixes = append(prefixes, netip.PrefixFrom(addr.Unmap(), ones).Masked())
			}
		}
	}
	return prefixes
}

// note counts a failure and logs it if it differs from the previous one: on a link that is
// down every request fails.
func (k *Keeper) note(what string, err error) {
	if err == nil {
		return
	}
	k.cfg.Failed()
	if text := err.Error(); text != k.failure {
		k.failure = text
		k.cfg.Log.Warn("neighbour entries cannot be kept warm", "tried", what, "error", err)
	}
}
