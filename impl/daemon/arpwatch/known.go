package arpwatch

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// pairMACs are the pair's hardware addresses on a link: those of this node's interfaces,
// and the peer's as resolved by the kernel.
type pairMACs struct {
	netlink *netlink.Handle
	index   int
	peer    netip.Addr // invalid if the peer has no address on the link
	failed  func()     // called for each read that fails

	own     map[[6]byte]bool
	peers   map[[6]byte]bool
	refresh time.Time // when they may be read again
}

// refreshEvery limits how often they are read, so that a flood of claims does not become a
// flood of netlink requests.
const refreshEvery = 100 * time.Millisecond

func newPairMACs(index int, peer netip.Addr, failed func()) (*pairMACs, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	return &pairMACs{netlink: handle, index: index, peer: peer, failed: failed}, nil
}

func (p *pairMACs) close() { p.netlink.Close() }

// foreign reports whether an address is outside of the pair, and whether it may be the
// peer's. It looks unknown addresses up.
func (p *pairMACs) foreign(mac [6]byte, now time.Time) (foreign, maybePeer bool) {
	if !p.own[mac] && !p.peers[mac] && !now.Before(p.refresh) {
		p.refresh = now.Add(refreshEvery)
		p.read()
	}
	return !p.own[mac] && !p.peers[mac], len(p.peers) == 0
}

// read asks the kernel. What the kernel does not report stays unchanged.
func (p *pairMACs) read() {
	links, err := p.netlink.LinkList()
	if err != nil {
		p.failed()
	} else {
		p.own = map[[6]byte]bool{}
		for _, l := range links {
			note(p.own, l.Attrs().HardwareAddr)
		}
	}
	if !p.peer.IsValid() {
		return
	}
	family := netlink.FAMILY_V4
	if p.peer.Is6() {
		family = netlink.FAMILY_V6
	}
	entries, err := p.netlink.NeighList(p.index, family)
	if err != nil {
		p.failed()
		return
	}
	peers := map[[6]byte]bool{}
	for _, n := range entries {
		if addr, ok := netip.AddrFromSlice(n.IP); ok && addr.Unmap() == p.peer {
			note(peers, n.HardwareAddr)
		}
	}
	if len(peers) > 0 { // keep a dead peer's address
		p.peers = peers
	}
}

func note(macs map[[6]byte]bool, mac net.HardwareAddr) {
	if len(mac) == 6 {
		macs[[6]byte(mac)] = true
	}
}
