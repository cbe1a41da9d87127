package bfdio

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"

	"baton/impl/bfd"
)

var echoEnds = map[string][2]netip.Addr{
	"IPv4": {netip.MustParseAddr("198.18.77.1"), netip.MustParseAddr("198.18.9.1")},
	"IPv6": {netip.MustParseAddr("2001:2:0:77::1"), netip.MustParseAddr("2001:2:0:9::1")},
}

// TestEchoPacketsReadAsTheyWereMade: by an independent implementation of IP and UDP, with
// correct checksums, and by our own.
func TestEchoPacketsReadAsTheyWereMade(t *testing.T) {
	first := map[string]gopacket.Decoder{"IPv4": layers.LayerTypeIPv4, "IPv6": layers.LayerTypeIPv6}
	for protocol, ends := range echoEnds {
		t.Run(protocol, rapid.MakeCheck(func(t *rapid.T) {
			payload := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "payload")
			b := appendEcho(nil, ends[0], ends[1], payload)
			p := gopacket.NewPacket(b, first[protocol], gopacket.Default)
			udp, ok := p.TransportLayer().(*layers.UDP)
			if !ok || udp.DstPort != EchoPort || !bytes.Equal(udp.Payload, payload) {
				t.Fatalf("%v", p)
			}
			if err := udp.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
				t.Fatal(err)
			}
			if bad, mismatches := p.VerifyChecksums(); bad != nil || len(mismatches) > 0 {
				t.Fatalf("checksums: %v %v", bad, mismatches)
			}
			d, ok := parseEcho(b)
			if !ok || d.From != ends[0] || d.To != ends[1] || d.TTL != bfd.TransmitTTL || !bytes.Equal(d.Data, payload) {
				t.Fatalf("read %+v, %v", d, ok)
			}
		}))
	}
}

// TestDamagedEchoPacketsAreRejected: truncated anywhere, or with any flipped bit except those
// that forwarders may change (class, flow label, TTL with its checksum).
func TestDamagedEchoPacketsAreRejected(t *testing.T) {
	free := map[string]map[int]bool{"IPv4": {}, "IPv6": {0: true, 1: true, 2: true, 3: true, 7: true}}
	for protocol, ends := range echoEnds {
		whole := appendEcho(nil, ends[0], ends[1], []byte("payload"))
		for n := range whole {
			if _, ok := parseEcho(whole[:n]); ok {
				t.Errorf("%s: took the first %d of %d bytes", protocol, n, len(whole))
			}
		}
		for i := range whole {
			for bit := range 8 {
				b := bytes.Clone(whole)
				b[i] ^= 1 << bit
				if d, ok := parseEcho(b); ok && !free[protocol][i] {
					t.Errorf("%s: took it with bit %d of byte %d turned, as %+v", protocol, bit, i, d)
				}
			}
		}
	}
}

// FuzzParseEcho: the parser never reads beyond the packet.
func FuzzParseEcho(f *testing.F) {
	for _, ends := range echoEnds {
		f.Add(appendEcho(nil, ends[0], ends[1], []byte("payload")))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, ok := parseEcho(b); ok && (!d.From.IsValid() || !d.To.IsValid() || len(d.Data) > len(b)-udpHeaderLen) {
			t.Errorf("read %+v of %d bytes", d, len(b))
		}
	})
}
