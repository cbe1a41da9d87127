package bpf

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"baton/impl/flow"
)

const icmpv6Proto = byte(layers.IPProtocolICMPv6)

// errorTypes are types of ICMP messages, most of them errors.
func errorTypes() []uint8 {
	if inIPv6 {
		return []uint8{1, 1, 2, 2, 3, 4, 5, 0, 129}
	}
	return []uint8{3, 3, 3, 11, 12, 4, 5, 0}
}

func echoRequestType() uint8 {
	if inIPv6 {
		return 128
	}
	return echoRequest
}

// ownAddresses are the permanent addresses of the lab's host.
func ownAddresses() (all []flow.Addr) {
	for _, a := range []string{"127.0.0.1", "198.18.0.1", "198.18.1.1"} {
		all = append(all, address(a))
		if inAcross && a != "127.0.0.1" {
			all = append(all, otherFamily(address(a)))
		}
	}
	if inIPv6 {
		all = append(all, flow.IPv4(127, 0, 0, 1))
	}
	return all
}

// addIPv6 gives a link the IPv6 form of a lab address.
func addIPv6(t testing.TB, n ns.NetNS, link, addr string) {
	t.Helper()
	inside(t, n, func() error {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		ip := address(addr)
		if !inIPv6 {
			ip = otherFamily(ip)
		}
		return netlink.AddrAdd(l, &netlink.Addr{
			IPNet: &net.IPNet{IP: ip.Netip().AsSlice(), Mask: net.CIDRMask(120, 128)}, Flags: unix.IFA_F_NODAD,
		})
	})
}

// insert puts extension headers behind a frame's IPv6 header. The first is of the given
// protocol; the last must name the frame's own protocol as next header.
func insert(frame []byte, first byte, headers []byte) []byte {
	out := append(slices.Clone(frame[:54]), headers...)
	out = append(out, frame[54:]...)
	out[20] = first
	binary.BigEndian.PutUint16(out[18:], uint16(len(out)-54))
	return out
}

// extension returns an extension header of 8 bytes plus more units of 8.
func extension(next byte, more int) []byte {
	b := make([]byte, 8+8*more)
	b[0], b[1] = next, byte(more)
	return b
}

func fragments6(frame []byte, id uint16, at ...int) (out [][]byte) {
	body, from := frame[54:], 0
	for i, to := range append(at, len(body)) {
		header := extension(frame[20], 0)
		offset := uint16(from)
		if i < len(at) {
			offset |= 1
		}
		binary.BigEndian.PutUint16(header[2:], offset)
		binary.BigEndian.PutUint32(header[4:], uint32(id))
		out = append(out, insert(append(slices.Clone(frame[:54]), body[from:to]...), 44, header))
		from = to
	}
	return out
}

// elsewhere changes a fragment's offset.
func elsewhere(part []byte, flags, offset byte) []byte {
	if !isIPv6(part) {
		return withIP(part, 6, flags, offset)
	}
	return edited(part, func(f []byte) []byte {
		copy(f[partsOf(f).fragment+2:], []byte{flags, offset})
		return f
	})
}

// extended gives a frame extension headers, some of them invalid.
func extended(t *rapid.T, frame []byte) []byte {
	types := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 43, 44, 60, 60, 60, 51}), 1, 4).Draw(t, "extensions")
	next := frame[20]
	var all []byte
	for i := len(types) - 1; i >= 0; i-- {
		e := extension(next, rapid.SampledFrom([]int{0, 0, 0, 1, 5, 7}).Draw(t, "length"))
		if types[i] == 44 {
			e = extension(next, 0)
		}
		e[3] = rapid.SampledFrom([]byte{0, 0, 1}).Draw(t, "left")
		all, next = append(e, all...), types[i]
	}
	return insert(frame, next, all)
}

// solicitation asks for the hardware address of target. With an unspecified source it asks
// whether the target is free.
func solicitation(sender, target flow.Addr) []byte {
	group := flow.Addr{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: target[13], 14: target[14], 15: target[15]}
	mac := net.HardwareAddr{0x33, 0x33, 0xff, target[13], target[14], target[15]}
	eth, ip := headers(mac, sender, group, layers.IPProtocolICMPv6)
	ip.(*layers.IPv6).HopLimit = 255
	message := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborSolicitation, 0)}
	message.SetNetworkLayerForChecksum(ip)
	body := append(make([]byte, 4), target[:]...)
	if sender != (flow.Addr{}) {
		body = append(append(body, 1, 1), peerMAC...)
	}
	return serialize(eth, ip, message, gopacket.Payload(body))
}

// advertisementFate describes a neighbour advertisement that was sent.
func advertisementFate(t rapid.TB, out []byte) string {
	t.Helper()
	if err := checkSums(out); err != nil {
		t.Errorf("neighbour advertisement: %v", err)
	}
	src, dst := ends(out)
	if len(out) != 14+40+32 || out[21] != 255 || out[54] != 136 || src != flow.Addr(out[62:]) || string(out[78:80]) != "\x02\x01" ||
		string(out[80:86]) != string(out[6:12]) {
		t.Errorf("not an advertisement of its sender: %x", out)
	}
	return fmt.Sprintf("arp-reply %s is-at %s to %s flags %#x", flow.Addr(out[62:]), net.HardwareAddr(out[80:86]), dst, out[58])
}

// ndp generates solicitations, some of them damaged.
func (p *pair) ndp(t *rapid.T) {
	addresses := rapid.SampledFrom([]string{vipAddr, vipAddr, vipAddr, snatAddr, snatAddr, snatAddr, unknownVIP, "198.18.0.1", "198.18.1.1", clientAddr})
	link := rapid.SampledFrom([]string{"client0", "backend0"}).Draw(t, "link")
	frame := solicitation(address(rapid.SampledFrom([]string{clientAddr, "0.1.2.3", vipAddr}).Draw(t, "sender")), address(addresses.Draw(t, "target")))
	switch rapid.IntRange(0, 5).Draw(t, "edit") {
	case 0:
		frame[21] = 64
	case 1:
		frame[55] = 1
	case 2:
		frame = append(frame, make([]byte, 40)...)
		binary.BigEndian.PutUint16(frame[18:], uint16(len(frame)-54))
	}
	p.send(link, damage(t, frame))
	p.send("client0", solicitation(address(clientAddr), address(vipAddr)))
	p.send("backend0", solicitation(address(backendAddr), address(snatAddr)))
}

// broadcastAddresses are those of the lab's networks; IPv6 has none.
func broadcastAddresses() []flow.Addr {
	if inIPv6 {
		return nil
	}
	return []flow.Addr{address("127.255.255.255"), address("198.18.0.255"), address("198.18.1.255")}
}
