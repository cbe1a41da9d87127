package evidence

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"baton/impl/sctp"
)

// reader describes frames. It reuses its layers for each frame.
type reader struct {
	parser  *gopacket.DecodingLayerParser
	decoded []gopacket.LayerType
	ether   layers.Ethernet
	arp     layers.ARP
	ip      layers.IPv4
	ip6     layers.IPv6
	icmp6   layers.ICMPv6
	asks    layers.ICMPv6NeighborSolicitation
	tells   layers.ICMPv6NeighborAdvertisement
	tcp     layers.TCP
	udp     layers.UDP
}

func newReader() *reader {
	r := &reader{}
	r.parser = gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &r.ether, &r.arp, &r.ip, &r.ip6, &r.icmp6, &r.asks, &r.tells, &r.tcp, &r.udp)
	r.parser.IgnoreUnsupported = true
	return r
}

func (r *reader) describe(data []byte) string {
	// If inner layers are invalid or truncated, the outer ones are still decoded.
	_ = r.parser.DecodeLayers(data, &r.decoded)
	if len(r.decoded) == 0 {
		return fmt.Sprintf("%d bytes", len(data))
	}
	from, to, payload := r.ends()
	if words, ok := r.describeSCTP(from, to); ok {
		return words
	}
	switch r.decoded[len(r.decoded)-1] {
	case layers.LayerTypeTCP:
		length := payload - int(r.tcp.DataOffset)*4
		return fmt.Sprintf("tcp %s>%s %s seq %d ack %d len %d", at(from, uint16(r.tcp.SrcPort)), at(to, uint16(r.tcp.DstPort)),
			flags(&r.tcp), r.tcp.Seq, r.tcp.Ack, length)
	case layers.LayerTypeUDP:
		return fmt.Sprintf("udp %s>%s len %d", at(from, uint16(r.udp.SrcPort)), at(to, uint16(r.udp.DstPort)), int(r.udp.Length)-8)
	case layers.LayerTypeARP:
		return r.describeARP()
	case layers.LayerTypeIPv4:
		return fmt.Sprintf("%s %s>%s", strings.ToLower(r.ip.Protocol.String()), r.ip.SrcIP, r.ip.DstIP)
	case layers.LayerTypeICMPv6NeighborSolicitation:
		return fmt.Sprintf("ndp asks for %s, for %s", r.asks.TargetAddress, from)
	case layers.LayerTypeICMPv6NeighborAdvertisement:
		if !r.tells.Solicited() {
			return fmt.Sprintf("ndp announces %s at %s", r.tells.TargetAddress, r.ether.SrcMAC)
		}
		return fmt.Sprintf("ndp tells %s that %s is at %s", to, r.tells.TargetAddress, r.ether.SrcMAC)
	case layers.LayerTypeIPv6, layers.LayerTypeICMPv6:
		return fmt.Sprintf("%s %s>%s", strings.ToLower(r.ip6.NextHeader.String()), from, to)
	}
	return fmt.Sprintf("%s>%s %s", r.ether.SrcMAC, r.ether.DstMAC, r.ether.EthernetType)
}

// ends returns the addresses of an IP packet, and the length of its payload.
func (r *reader) ends() (from, to net.IP, payload int) {
	if slices.Contains(r.decoded, layers.LayerTypeIPv6) {
		return r.ip6.SrcIP, r.ip6.DstIP, int(r.ip6.Length)
	}
	return r.ip.SrcIP, r.ip.DstIP, int(r.ip.Length) - int(r.ip.IHL)*4
}

// describeSCTP describes a packet of SCTP by its first chunk.
func (r *reader) describeSCTP(from, to net.IP) (words string, ok bool) {
	segment := r.ip.Payload
	switch r.decoded[len(r.decoded)-1] {
	case layers.LayerTypeIPv4:
		ok = r.ip.Protocol == layers.IPProtocolSCTP
	case layers.LayerTypeIPv6:
		ok, segment = r.ip6.NextHeader == layers.IPProtocolSCTP, r.ip6.Payload
	}
	if !ok {
		return "", false
	}
	p, ok := sctp.Parse(segment)
	return fmt.Sprintf("sctp %s>%s %s tag %#x len %d", at(from, p.SrcPort), at(to, p.DstPort), sctp.Name(p.Chunk), p.Tag, len(p.Value)), ok
}

func at(ip net.IP, port uint16) string { return net.JoinHostPort(ip.String(), strconv.Itoa(int(port))) }

func (r *reader) describeARP() string {
	sender, target := ipv4(r.arp.SourceProtAddress), ipv4(r.arp.DstProtAddress)
	switch {
	case sender == target:
		return fmt.Sprintf("arp announces %s at %s", sender, r.ether.SrcMAC)
	case r.arp.Operation == layers.ARPReply:
		return fmt.Sprintf("arp tells %s that %s is at %s", target, sender, r.ether.SrcMAC)
	}
	return fmt.Sprintf("arp asks for %s, for %s", target, sender)
}

func ipv4(b []byte) string {
	if len(b) != 4 {
		return "?"
	}
	return fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3])
}

func flags(t *layers.TCP) string {
	var set []string
	for _, f := range []struct {
		name string
		on   bool
	}{{"SYN", t.SYN}, {"FIN", t.FIN}, {"RST", t.RST}, {"PSH", t.PSH}, {"ACK", t.ACK}} {
		if f.on {
			set = append(set, f.name)
		}
	}
	return strings.Join(set, ",")
}
