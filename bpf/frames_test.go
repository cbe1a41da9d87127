package bpf

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"baton/impl/flow"
)

// The Ethernet addresses of the load balancer's links and of their neighbours.
var (
	clientMAC  = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	backendMAC = net.HardwareAddr{2, 0, 0, 0, 1, 1}
	peerMAC    = net.HardwareAddr{2, 0, 0, 0, 0, 99}
	broadcast  = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

// TCP flags.
const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	psh = 0x08
	ack = 0x10
)

// frameTo builds the frame of a tuple with some payload, addressed to a MAC.
func frameTo(mac net.HardwareAddr, t flow.Tuple, flags int, payload string) []byte {
	if t.Proto == flow.SCTP {
		return withRole(mac, t, flags, payload)
	}
	eth, ip := headers(mac, t.Src, t.Dst, layers.IPProtocol(t.Proto))
	var transport gopacket.SerializableLayer
	if t.Proto == flow.UDP {
		udp := &layers.UDP{SrcPort: layers.UDPPort(t.SrcPort), DstPort: layers.UDPPort(t.DstPort)}
		udp.SetNetworkLayerForChecksum(ip)
		transport = udp
	} else {
		tcp := &layers.TCP{
			SrcPort: layers.TCPPort(t.SrcPort), DstPort: layers.TCPPort(t.DstPort), Seq: 1000, Window: 512,
			FIN: flags&fin != 0, SYN: flags&syn != 0, RST: flags&rst != 0, PSH: flags&psh != 0, ACK: flags&ack != 0,
		}
		tcp.SetNetworkLayerForChecksum(ip)
		transport = tcp
	}
	return serialize(eth, ip, transport, gopacket.Payload(payload))
}

// ipLayer is an IPv4 or IPv6 header.
type ipLayer interface {
	gopacket.NetworkLayer
	gopacket.SerializableLayer
}

// headers returns a packet's headers up to IP.
func headers(mac net.HardwareAddr, src, dst flow.Addr, proto layers.IPProtocol) (*layers.Ethernet, ipLayer) {
	if src.Is4() != dst.Is4() { // the backend of a flow that is encapsulated in the other family
		src = otherFamily(src)
	}
	eth := &layers.Ethernet{SrcMAC: peerMAC, DstMAC: mac, EthernetType: layers.EthernetTypeIPv4}
	if dst.Is4() {
		return eth, &layers.IPv4{Version: 4, TTL: 64, Id: 7, Protocol: proto, SrcIP: src.Bytes(), DstIP: dst.Bytes()}
	}
	eth.EthernetType = layers.EthernetTypeIPv6
	return eth, &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: src.Bytes(), DstIP: dst.Bytes()}
}

func serialize(parts ...gopacket.SerializableLayer) []byte {
	buf := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buf, options, parts...); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

// arpFrame builds an ARP packet as an Ethernet broadcast.
func arpFrame(operation uint16, sender, target string) []byte {
	s, t := address(sender), address(target)
	return serialize(
		&layers.Ethernet{SrcMAC: peerMAC, DstMAC: broadcast, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
			Operation: operation, SourceHwAddress: peerMAC, SourceProtAddress: s.Bytes(),
			DstHwAddress: make([]byte, 6), DstProtAddress: t.Bytes(),
		})
}

// fragmentOf reads whether more fragments follow a frame, and where in its datagram it begins.
func fragmentOf(frame []byte) (more bool, offset int) {
	at := partsOf(frame)
	return at.more, at.offset
}

// parts holds the offsets of a frame's parts.
type parts struct {
	l4       int
	proto    byte // protocol at l4
	fragment int  // the IPv6 fragment header; 0 without one
	more     bool
	offset   int
}

func isIPv6(frame []byte) bool { return frame[12] == 0x86 && frame[13] == 0xdd }

// partsOf reads a well-formed frame.
func partsOf(frame []byte) (p parts) {
	if len(frame) < 34 {
		return p
	}
	if !isIPv6(frame) {
		v := binary.BigEndian.Uint16(frame[20:])
		return parts{l4: 14 + int(frame[14]&15)*4, proto: frame[23], more: v&0x2000 != 0, offset: int(v&0x1fff) * 8}
	}
	p = parts{l4: 54, proto: frame[20]}
	for p.offset == 0 && (p.proto == 0 || p.proto == 43 || p.proto == 44 || p.proto == 60) && p.l4+8 <= len(frame) {
		ext, length := frame[p.l4:], 8
		if p.proto == 44 {
			v := binary.BigEndian.Uint16(ext[2:])
			p.fragment, p.more, p.offset = p.l4, v&1 != 0, int(v&0xfff8)
		} else {
			length += int(ext[1]) * 8
		}
		p.proto, p.l4 = ext[0], p.l4+length
	}
	return p
}

// ends returns the addresses of a frame.
func ends(frame []byte) (src, dst flow.Addr) {
	if isIPv6(frame) {
		return flow.Addr(frame[22:]), flow.Addr(frame[38:])
	}
	return ipv4At(frame[26:]), ipv4At(frame[30:])
}

// pseudoOf is the pseudo-header of a segment's checksum.
func pseudoOf(frame []byte, proto byte, length int) []byte {
	src, dst := ends(frame)
	b := append(append([]byte{}, src.Bytes()...), dst.Bytes()...)
	return append(b, 0, 0, byte(length>>8), byte(length), 0, 0, 0, proto)
}

// idOf returns the id of a fragment's datagram.
func idOf(frame []byte) uint32 {
	if at := partsOf(frame).fragment; at > 0 {
		return binary.BigEndian.Uint32(frame[at+4:])
	}
	return uint32(binary.BigEndian.Uint16(frame[18:]))
}

// fragments cuts a datagram at some places, each a multiple of eight bytes after its IP header.
func fragments(frame []byte, id uint16, at ...int) (out [][]byte) {
	if isIPv6(frame) {
		return fragments6(frame, id, at...)
	}
	body, from := frame[34:], 0
	for i, to := range append(at, len(body)) {
		piece := append(append([]byte(nil), frame[:34]...), body[from:to]...)
		offset := uint16(from / 8)
		if i < len(at) {
			offset |= 0x2000
		}
		binary.BigEndian.PutUint16(piece[16:], uint16(len(piece)-14))
		binary.BigEndian.PutUint16(piece[18:], id)
		out = append(out, withIP(piece, 6, byte(offset>>8), byte(offset)))
		from = to
	}
	return out
}

const icmpProto = byte(layers.IPProtocolICMPv4)

// icmpFrame builds an ICMP message of some type and code.
func icmpFrame(mac net.HardwareAddr, src, dst flow.Addr, kind, code uint8, body []byte) []byte {
	if !dst.Is4() {
		eth, ip := headers(mac, src, dst, layers.IPProtocolICMPv6)
		message := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(kind, code)}
		message.SetNetworkLayerForChecksum(ip)
		return serialize(eth, ip, message, gopacket.Payload(append([]byte{0, 0, 0x05, 0x78}, body...)))
	}
	eth, ip := headers(mac, src, dst, layers.IPProtocolICMPv4)
	return serialize(eth, ip, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(kind, code), Seq: 1400}, gopacket.Payload(body))
}

// errorFrame builds an error that a router, or the receiver, sends about a frame: of the
// frame it holds the IP header and so many bytes more.
func errorFrame(mac net.HardwareAddr, from flow.Addr, kind, code uint8, about []byte, more int) []byte {
	to, _ := ends(about)
	return icmpFrame(mac, from, to, kind, code, about[14:min(partsOf(about).l4+more, len(about))])
}

// edited returns a copy of a frame after an edit.
func edited(frame []byte, edit func([]byte) []byte) []byte {
	return edit(append([]byte(nil), frame...))
}

// withIP returns a copy with some bytes of the IP header replaced and its checksum mended.
func withIP(frame []byte, offset int, bytes ...byte) []byte {
	return edited(frame, func(f []byte) []byte {
		copy(f[14+offset:], bytes)
		if isIPv6(f) {
			return f
		}
		f[24], f[25] = 0, 0
		binary.BigEndian.PutUint16(f[24:], ^sum(f[14:min(14+int(f[14]&15)*4, len(f))]))
		return f
	})
}

func sum(b []byte) uint16 {
	var total uint32
	for i := 0; i+1 < len(b); i += 2 {
		total += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		total += uint32(b[len(b)-1]) << 8
	}
	for total>>16 != 0 {
		total = total&0xffff + total>>16
	}
	return uint16(total)
}

func ipv4At(b []byte) flow.Addr { return flow.IPv4From([4]byte(b)) }

// tupleOf reads the tuple that a well-formed frame shows.
func tupleOf(frame []byte) flow.Tuple {
	at := partsOf(frame)
	src, dst := ends(frame)
	l4 := frame[at.l4:]
	return flow.Tuple{
		Src: src, Dst: dst, Proto: flow.Proto(at.proto),
		SrcPort: binary.BigEndian.Uint16(l4), DstPort: binary.BigEndian.Uint16(l4[2:]),
	}
}

// withTTL gives a frame a TTL or hop limit, withProto another protocol.
func withTTL(frame []byte, ttl byte) []byte {
	if isIPv6(frame) {
		return withIP(frame, 7, ttl)
	}
	return withIP(frame, 8, ttl)
}

func withProto(frame []byte, proto byte) []byte {
	if isIPv6(frame) {
		return withIP(frame, 6, proto)
	}
	return withIP(frame, 9, proto)
}

// checkSums recomputes the checksums of a well-formed frame from scratch.
func checkSums(frame []byte) error {
	at := partsOf(frame)
	ip, end := frame[14:], 0
	if isIPv6(frame) {
		end = 54 + int(binary.BigEndian.Uint16(ip[4:]))
	} else {
		end = 14 + int(binary.BigEndian.Uint16(ip[2:]))
		if s := sum(frame[14:at.l4]); s != 0xffff {
			return fmt.Errorf("IP header sums to %#04x", s)
		}
	}
	if at.l4 > end || end > len(frame) {
		return fmt.Errorf("ends at %d of %d, its segment begins at %d", end, len(frame), at.l4)
	}
	segment := frame[at.l4:end]
	if more, offset := fragmentOf(frame); more || offset > 0 {
		return nil // the sum is that of the whole datagram
	}
	if at.proto == icmpProto {
		if s := sum(segment); s != 0xffff {
			return fmt.Errorf("ICMP message sums to %#04x", s)
		}
		return nil
	}
	if flow.Proto(at.proto) == flow.SCTP {
		if got, want := binary.LittleEndian.Uint32(segment[8:]), crc32c(segment); got != want {
			return fmt.Errorf("SCTP checksum %#08x, want %#08x", got, want)
		}
		return nil
	}
	if flow.Proto(at.proto) == flow.UDP && binary.BigEndian.Uint16(segment[6:]) == 0 {
		return nil // RFC 768: none was computed
	}
	if s := sum(append(pseudoOf(frame, at.proto, len(segment)), segment...)); s != 0xffff {
		return fmt.Errorf("%s segment sums to %#04x", flow.Proto(at.proto), s)
	}
	return nil
}
