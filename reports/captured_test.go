package reports_test

import (
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"baton/impl/clock"
	"baton/reports/load"
	"baton/scenarios/evidence"
	"baton/scenarios/lab"
)

// captureFrames is a measured number of frames: those of one edge in the four seconds
// around a failure.
const captureFrames = 30_000

// captured adds the capture of a real run to a simulated one: frames of the clients'
// edge around the failure, with the RSTs of the trace.
func captured(b *testing.B, dir string) {
	b.Helper()
	run := load.NewReader().Read(dir)
	resets := map[clock.Instant]bool{}
	var instants []clock.Instant
	for _, e := range run.Events {
		if e.RST != nil && e.RST.Edge == lab.Clients {
			resets[e.At] = true
			instants = append(instants, e.At)
		}
	}
	first := slices.Min(instants)
	ask := evidence.NewAsk(run.Events, []evidence.Span{{From: first, To: first}}, evidence.DefaultLimit, "")
	step := 2 * evidence.Around / captureFrames
	for i := range captureFrames {
		instants = append(instants, ask.Windows[0].From.Add(time.Duration(i)*step))
	}
	slices.Sort(instants)
	file := evidence.File{File: evidence.CaptureFile(lab.Clients), Kind: evidence.Capture, Edge: lab.Clients, Count: len(instants)}
	store := evidence.NewStore(dir)
	err := store.Put(file, func(w io.Writer) error { return writeFrames(w, instants, resets) })
	if err == nil {
		err = store.Manifest(ask).Write(dir)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// writeFrames writes a TCP segment at each instant, with RST where there was one.
func writeFrames(w io.Writer, instants []clock.Instant, resets map[clock.Instant]bool) error {
	ng, err := pcapgo.NewNgWriterInterface(w, pcapgo.NgInterface{Name: "clients/client1", LinkType: layers.LinkTypeEthernet, TimestampResolution: 9}, pcapgo.DefaultNgWriterOptions)
	if err != nil {
		return err
	}
	ether := layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}
	ip := layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IP{198, 18, 0, 100}, DstIP: net.IP{198, 18, 0, 11}}
	buffer := gopacket.NewSerializeBuffer()
	for i, at := range instants {
		segment := layers.TCP{SrcPort: 80, DstPort: layers.TCPPort(20_000 + i%500), Seq: uint32(i), ACK: true, RST: resets[at]}
		if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true}, &ether, &ip, &segment, gopacket.Payload(make([]byte, 96))); err != nil {
			return err
		}
		info := gopacket.CaptureInfo{Timestamp: time.Unix(0, int64(at)), Length: len(buffer.Bytes()), CaptureLength: len(buffer.Bytes())}
		if err := ng.WritePacket(info, buffer.Bytes()); err != nil {
			return err
		}
	}
	return ng.Flush()
}
