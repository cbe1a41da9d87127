package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"baton/impl/clock"
)

// Frame is one frame of a capture, as a line for reading.
type Frame struct {
	At       clock.Instant // on the trace's time axis
	Port     string        // clients/lb1: the port that it left the switch by
	Text     string        // tcp 198.18.0.100:80>198.18.0.11:46794 RST seq 17 len 0
	Comments []string
}

// Frames reads a capture of the run in a folder, by time. Of a file that is cut off
// it returns what can be read, beside the error.
func Frames(dir string, f File) ([]Frame, error) {
	file, err := os.Open(filepath.Join(dir, filepath.Base(f.File)))
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	defer file.Close()
	ng, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		return nil, fmt.Errorf("evidence: read %s: %w", f.File, err)
	}
	var frames []Frame
	reader := newReader()
	for {
		data, info, options, err := ng.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return byTime(frames), fmt.Errorf("evidence: read %s after %d frames: %w", f.File, len(frames), err)
		}
		port, _ := ng.Interface(info.InterfaceIndex)
		frames = append(frames, Frame{At: clock.Instant(info.Timestamp.UnixNano() - f.Offset), Port: port.Name,
			Text: reader.describe(data), Comments: options.Comments})
	}
	return byTime(frames), nil
}

func byTime(frames []Frame) []Frame {
	slices.SortStableFunc(frames, func(a, b Frame) int { return cmp.Compare(a.At, b.At) })
	return frames
}

// Near are the frames next to an instant: up to n before it, and as many from it on.
func Near(frames []Frame, at clock.Instant, n int) []Frame {
	i := sort.Search(len(frames), func(i int) bool { return frames[i].At >= at })
	return frames[max(0, i-n):min(len(frames), i+n)]
}

// reader puts frames into words. It decodes into the same layers again and again.
type reader struct {
	parser  *gopacket.DecodingLayerParser
	decoded []gopacket.LayerType
	ether   layers.Ethernet
	arp     layers.ARP
	ip      layers.IPv4
	tcp     layers.TCP
	udp     layers.UDP
}

func newReader() *reader {
	r := &reader{}
	r.parser = gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &r.ether, &r.arp, &r.ip, &r.tcp, &r.udp)
	r.parser.IgnoreUnsupported = true
	return r
}

func (r *reader) describe(data []byte) string {
	// What is wrong, or cut short, in the inner layers leaves the outer ones.
	_ = r.parser.DecodeLayers(data, &r.decoded)
	if len(r.decoded) == 0 {
		return fmt.Sprintf("%d bytes", len(data))
	}
	switch r.decoded[len(r.decoded)-1] {
	case layers.LayerTypeTCP:
		length := int(r.ip.Length) - int(r.ip.IHL)*4 - int(r.tcp.DataOffset)*4
		return fmt.Sprintf("tcp %s:%d>%s:%d %s seq %d ack %d len %d", r.ip.SrcIP, r.tcp.SrcPort, r.ip.DstIP, r.tcp.DstPort,
			flags(&r.tcp), r.tcp.Seq, r.tcp.Ack, length)
	case layers.LayerTypeUDP:
		return fmt.Sprintf("udp %s:%d>%s:%d len %d", r.ip.SrcIP, r.udp.SrcPort, r.ip.DstIP, r.udp.DstPort, int(r.udp.Length)-8)
	case layers.LayerTypeARP:
		return r.describeARP()
	case layers.LayerTypeIPv4:
		return fmt.Sprintf("%s %s>%s", strings.ToLower(r.ip.Protocol.String()), r.ip.SrcIP, r.ip.DstIP)
	}
	return fmt.Sprintf("%s>%s %s", r.ether.SrcMAC, r.ether.DstMAC, r.ether.EthernetType)
}

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
