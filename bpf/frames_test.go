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
	eth := &layers.Ethernet{SrcMAC: peerMAC, DstMAC: mac, EthernetType: layers.EthernetTypeIPv4}
	ip := &layers.IPv4{
		Version: 4, TTL: 64, Id: 7, Protocol: layers.IPProtocol(t.Proto), SrcIP: t.Src.Bytes(), DstIP: t.Dst.Bytes(),
	}
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
	v := binary.BigEndian.Uint16(frame[20:])
	return v&0x2000 != 0, int(v&0x1fff) * 8
}

// fragments cuts a datagram at some places, each a multiple of eight bytes after its IP header.
func fragments(frame []byte, id uint16, at ...int) (out [][]byte) {
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
	return serialize(
		&layers.Ethernet{SrcMAC: peerMAC, DstMAC: mac, EthernetType: layers.EthernetTypeIPv4},
		&layers.IPv4{Version: 4, TTL: 64, Id: 7, Protocol: layers.IPProtocolICMPv4, SrcIP: src.Bytes(), DstIP: dst.Bytes()},
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(kind, code), Seq: 1400},
		gopacket.Payload(body))
}

// errorFrame builds an error that a router, or the receiver, sends about a frame: of the
// frame it holds the IP header and so many bytes more.
func errorFrame(mac net.HardwareAddr, from flow.Addr, kind, code uint8, about []byte, more int) []byte {
	ip := about[14:]
	quoted := ip[:min(int(ip[0]&15)*4+more, len(ip))]
	return icmpFrame(mac, from, ipv4At(ip[12:]), kind, code, quoted)
}

// edited returns a copy of a frame after an edit.
func edited(frame []byte, edit func([]byte) []byte) []byte {
	return edit(append([]byte(nil), frame...))
}

// withIP returns a copy with some bytes of the IP header replaced and its checksum mended.
func withIP(frame []byte, offset int, bytes ...byte) []byte {
	return edited(frame, func(f []byte) []byte {
		copy(f[14+offset:], bytes)
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
	ip := frame[14:]
	l4 := ip[int(ip[0]&15)*4:]
	return flow.Tuple{
		Src: ipv4At(ip[12:]), Dst: ipv4At(ip[16:]), Proto: flow.Proto(ip[9]),
		SrcPort: binary.BigEndian.Uint16(l4), DstPort: binary.BigEndian.Uint16(l4[2:]),
	}
}

// checkSums recomputes the checksums of a well-formed frame from scratch.
func checkSums(frame []byte) error {
	ip := frame[14:]
	headerLen, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if s := sum(ip[:headerLen]); s != 0xffff {
		return fmt.Errorf("IP header sums to %#04x", s)
	}
	segment := ip[headerLen:total]
	if more, offset := fragmentOf(frame); more || offset > 0 {
		return nil // the sum is that of the whole datagram
	}
	if ip[9] == icmpProto {
		if s := sum(segment); s != 0xffff {
			return fmt.Errorf("ICMP message sums to %#04x", s)
		}
		return nil
	}
	if flow.Proto(ip[9]) == flow.UDP && binary.BigEndian.Uint16(segment[6:]) == 0 {
		return nil // RFC 768: none was computed
	}
	pseudo := append([]byte{0, ip[9], 0, 0}, ip[12:20]...)
	binary.BigEndian.PutUint16(pseudo[2:], uint16(len(segment)))
	if s := sum(append(pseudo, segment...)); s != 0xffff {
		return fmt.Errorf("%s segment sums to %#04x", flow.Proto(ip[9]), s)
	}
	return nil
}
