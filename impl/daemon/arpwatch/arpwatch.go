// Package arpwatch detects hosts outside of the pair that claim a virtual address by ARP:
// their announcements redirect the clients, and nothing else on the node would notice. It
// only reports claims. Whether to answer one is for the daemon, which knows who holds the
// lease.
//
// A socket filter accepts only packets whose sender address is a VIP, so the ARP traffic of
// a busy network costs nothing.
package arpwatch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"baton/impl/dataplane"
)

// Every is the minimum time between two reports about one VIP, and so between two answers
// to a claim. RFC 5227 section 2.4 (c) asks for ten seconds, against two hosts that flood
// the network while each defends the same address. One broadcast a second is no flood, and
// ten seconds would leave the clients with the last claimant for as long. A host that
// follows the RFC gives the address up after the second answer within ten seconds (2.4
// (b)), which one answer in ten seconds never reaches.
const Every = time.Second

// Config configures a Watcher.
type Config struct {
	VIPs []dataplane.VIP
	// Peers are the peer's addresses by link; its hardware address is the kernel's
	// neighbour entry for them. On a link without one the peer's hardware address is
	// unknown.
	Peers map[string]netip.Addr
	// PeerMay reports whether the peer may be announcing the VIPs now. It is called from
	// any goroutine, at once when a claim arrives that may be the peer's: after a handover
	// this node is MASTER within a millisecond.
	PeerMay func() bool
	// Report receives claims by hosts outside of the pair.
	Report func(Claim)
	// Failed is called, from any goroutine, for each failed kernel call. It may be nil.
	Failed func()
}

// Claim describes the claims of a VIP since the last report.
type Claim struct {
	VIP   netip.Addr
	Link  string
	MAC   net.HardwareAddr // of the last packet
	Count uint64
	// MaybePeer means that the peer's hardware address on the link is unknown, so this may
	// have been the peer, although it should not announce the VIP.
	MaybePeer bool
}

// Watcher listens on the links of the VIPs.
type Watcher struct {
	report func(Claim)
	links  []*link
	claims chan Claim
}

// Open opens a socket on each link, in the calling thread's network namespace.
func Open(cfg Config) (*Watcher, error) {
	if cfg.Failed == nil {
		cfg.Failed = func() {}
	}
	w := &Watcher{report: cfg.Report, claims: make(chan Claim, 256)}
	for _, vip := range cfg.VIPs {
		if slices.ContainsFunc(w.links, func(l *link) bool { return l.name == vip.Link }) {
			continue
		}
		l, err := openLink(vip.Link, cfg)
		if err != nil {
			w.Close()
			return nil, fmt.Errorf("arpwatch: link %s: %w", vip.Link, err)
		}
		w.links = append(w.links, l)
	}
	return w, nil
}

// Close closes the sockets of a watcher that is not running.
func (w *Watcher) Close() {
	for _, l := range w.links {
		l.conn.Close()
		l.known.close()
	}
}

// Run reports until ctx is done.
func (w *Watcher) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		for _, l := range w.links {
			l.conn.Close()
		}
	})
	defer stop()
	var readers sync.WaitGroup
	for _, l := range w.links {
		readers.Go(func() { l.read(ctx, w.claims) })
	}
	w.gather(ctx)
	readers.Wait()
}

// gather reports what the readers receive: the first claim of a VIP at once, further ones
// together after Every.
func (w *Watcher) gather(ctx context.Context) {
	next := time.NewTimer(0)
	defer next.Stop()
	var told pacer
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-w.claims:
			told.add(c)
		case <-next.C:
		}
		now := time.Now()
		for _, c := range told.due(now) {
			w.report(c)
		}
		next.Reset(told.wait(now))
	}
}

// SetVIPs changes the watched VIPs. The links stay those of Open.
func (w *Watcher) SetVIPs(vips []dataplane.VIP) error {
	for _, l := range w.links {
		accept, err := filter(on(l.name, vips))
		if err == nil {
			err = l.conn.SetBPF(accept)
		}
		if err != nil {
			return fmt.Errorf("arpwatch: filter of link %s: %w", l.name, err)
		}
	}
	return nil
}

// on returns the IPv4 VIPs of a link.
func on(name string, vips []dataplane.VIP) (addrs []netip.Addr) {
	for _, vip := range vips {
		if vip.Link == name && vip.Addr.Is4() {
			addrs = append(addrs, vip.Addr)
		}
	}
	return addrs
}

// filter accepts ARP packets whose sender address is one of addrs.
func filter(addrs []netip.Addr) ([]bpf.RawInstruction, error) {
	program := []bpf.Instruction{bpf.LoadAbsolute{Off: senderIP, Size: 4}}
	for _, addr := range addrs {
		ip := addr.As4()
		program = append(program,
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(ip[:]), SkipFalse: 1}, bpf.RetConstant{Val: frameLen})
	}
	return bpf.Assemble(append(program, bpf.RetConstant{}))
}

// Offsets into an Ethernet frame with ARP for IPv4 (RFC 826).
const (
	senderMAC = 22
	senderIP  = 28
	frameLen  = 42
)

// link is the socket of one link, with the pair's hardware addresses on it.
type link struct {
	name    string
	conn    *packet.Conn
	known   *pairMACs
	peerMay func() bool
}

func openLink(name string, cfg Config) (*link, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	accept, err := filter(on(name, cfg.VIPs))
	if err != nil {
		return nil, err
	}
	known, err := newPairMACs(iface.Index, cfg.Peers[name], cfg.Failed)
	if err != nil {
		return nil, err
	}
	conn, err := packet.Listen(iface, packet.Raw, unix.ETH_P_ARP, &packet.Config{Filter: accept})
	if err != nil {
		known.close()
		return nil, err
	}
	return &link{name: name, conn: conn, known: known, peerMay: cfg.PeerMay}, nil
}

// retry is the pause after a socket error, which means that the link is down.
const retry = 100 * time.Millisecond

// read passes on foreign claims until the socket is closed.
func (l *link) read(ctx context.Context, claims chan<- Claim) {
	buf := make([]byte, 256)
	for ctx.Err() == nil {
		n, _, err := l.conn.ReadFrom(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			l.known.failed()
			time.Sleep(retry)
			continue
		}
		if n < frameLen {
			continue
		}
		mac := [6]byte(buf[senderMAC:senderIP])
		foreign, maybePeer := l.known.foreign(mac, time.Now())
		if !foreign || maybePeer && l.peerMay() {
			continue
		}
		select {
		case claims <- Claim{
			VIP: netip.AddrFrom4([4]byte(buf[senderIP:])), Link: l.name, MAC: mac[:], Count: 1, MaybePeer: maybePeer,
		}:
		case <-ctx.Done():
		}
	}
}
