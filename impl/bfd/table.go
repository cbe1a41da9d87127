package bfd

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Path is what a session is bound to. It identifies the session of packets that do not
// carry our discriminator yet.
//
// A single hop is one interface, one peer and, by the peer's address, one protocol (RFC
// 5881 section 3). On a point-to-point link, where the peer's source address must not
// matter (section 6), Remote is the unspecified address of that protocol, 0.0.0.0 or ::.
// A multihop path is a pair of addresses (RFC 5883 section 4.1).
type Path struct {
	Interface string     // single hop only
	Local     netip.Addr // multihop only
	Remote    netip.Addr
}

func (p Path) String() string {
	if p.Interface != "" {
		return p.Remote.String() + " on " + p.Interface
	}
	return p.Remote.String() + " from " + p.Local.String()
}

// Validate rejects a path that is neither of the two kinds.
func (p Path) Validate() error {
	switch {
	case !p.Remote.IsValid():
		return fmt.Errorf("bfd: path without a Remote (RFC 5881 3)")
	case p.Interface != "" && p.Local.IsValid():
		return fmt.Errorf("bfd: path to %v: both an Interface, as for a single hop, and a Local address, as for multihop (RFC 5881 3, RFC 5883 4.1)", p)
	case p.Interface == "" && !p.Local.IsValid():
		return fmt.Errorf("bfd: path to %v: neither an Interface, for a single hop, nor a Local address, for multihop (RFC 5881 3, RFC 5883 4.1)", p.Remote)
	case p.Interface == "" && p.Local.Is4() != p.Remote.Is4():
		return fmt.Errorf("bfd: path to %v: two protocols (RFC 5883 4.1)", p)
	}
	return nil
}

// anyRemote is the path of a point-to-point link.
func (p Path) anyRemote() Path {
	if p.Remote.Is4() {
		p.Remote = netip.IPv4Unspecified()
	} else {
		p.Remote = netip.IPv6Unspecified()
	}
	return p
}

// Table finds the session of a received packet (RFC 5880 section 6.3). S is the owner's
// representation of a session.
type Table[S any] struct {
	byDiscr map[uint32]S
	byPath  map[Path]uint32
}

// Add adds a session. It refuses a discriminator that is in use (RFC 5880 section
// 6.8.1) and a second session on a path (RFC 5881 section 3, RFC 5883 section 4.1).
func (t *Table[S]) Add(discr uint32, path Path, session S) error {
	if discr == 0 {
		return fmt.Errorf("bfd: add session to %v: LocalDiscr is 0 (RFC 5880 6.8.1)", path)
	}
	if err := path.Validate(); err != nil {
		return err
	}
	if _, taken := t.byDiscr[discr]; taken {
		return fmt.Errorf("bfd: add session to %v: LocalDiscr %d is taken (RFC 5880 6.8.1)", path, discr)
	}
	if other, taken := t.byPath[path]; taken {
		return fmt.Errorf("bfd: add session to %v: session %d is there already (RFC 5881 3, RFC 5883 4.1)", path, other)
	}
	if t.byDiscr == nil {
		t.byDiscr, t.byPath = map[uint32]S{}, map[Path]uint32{}
	}
	t.byDiscr[discr], t.byPath[path] = session, discr
	return nil
}

// Remove removes a session.
func (t *Table[S]) Remove(discr uint32, path Path) {
	delete(t.byDiscr, discr)
	if t.byPath[path] == discr {
		delete(t.byPath, path)
	}
}

// Find returns the session of a control packet that came on a path, with the sender's
// address as Remote. A nonzero Your Discriminator alone decides; otherwise the path
// decides. It reads only that field: the session's Receive checks the packet.
func (t *Table[S]) Find(packet []byte, path Path) (session S, ok bool) {
	if len(packet) < headerLen {
		return session, false
	}
	discr := binary.BigEndian.Uint32(packet[8:])
	if discr == 0 {
		if discr, ok = t.byPath[path]; !ok && path.Interface != "" {
			discr = t.byPath[path.anyRemote()]
		}
	}
	session, ok = t.byDiscr[discr]
	return session, ok
}
