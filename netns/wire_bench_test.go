package netns_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"baton/impl/daemon/realtime"
	"baton/netns"
	"baton/scenarios/lab"
	"baton/scenarios/link"
)

// acrossWire builds a pair whose lb1 sends to lb2 over a wire with the parameters, or
// directly if they are nil.
func acrossWire(b *testing.B, params *link.Params) *netns.Pair {
	ended, err := realtime.Harness() // as a run does
	if err != nil {
		b.Log(err)
	}
	b.Cleanup(ended)
	pair, err := netns.NewPair(lab.Topo{Clients: 1, Backends: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { pair.Close(context.Background()) })
	if params != nil {
		on := lab.Selector{From: "lb1", To: "lb2", Via: lab.Clients}
		if _, err := pair.Impair(b.Context(), on, "delay", *params, 1); err != nil {
			b.Fatal(err)
		}
	}
	return pair
}

func in(b *testing.B, h *netns.Host, do func() error) {
	b.Helper()
	if err := h.Do(do); err != nil {
		b.Fatal(err)
	}
}

var wires = []struct {
	name   string
	params *link.Params
}{{"none", nil}, {"idle", &link.Params{}}, {"10ms", &link.Params{Delay: 10 * time.Millisecond}}}

// BenchmarkWireLatency measures the latency of a datagram, one every two milliseconds:
// without a wire, over a wire without impairment, and over one of 10 ms.
func BenchmarkWireLatency(b *testing.B) {
	for _, wire := range wires {
		b.Run(wire.name, func(b *testing.B) {
			pair := acrossWire(b, wire.params)
			there, _ := pair.Host("lb2").Interface(lab.Clients)
			at := net.UDPAddrFromAddrPort(netip.AddrPortFrom(there.Addr.Addr(), 9001))
			var inbound, outbound *net.UDPConn
			in(b, pair.Host("lb2"), func() (err error) { inbound, err = net.ListenUDP("udp4", at); return err })
			defer inbound.Close()
			in(b, pair.Host("lb1"), func() (err error) { outbound, err = net.DialUDP("udp4", nil, at); return err })
			defer outbound.Close()
			took := make([]time.Duration, 0, b.N)
			buf := make([]byte, 64)
			exchange := func(i uint32) time.Duration {
				began := time.Now()
				if _, err := outbound.Write(binary.BigEndian.AppendUint32(nil, i)); err != nil {
					b.Fatal(err)
				}
				_ = inbound.SetReadDeadline(began.Add(time.Second))
				if _, err := inbound.Read(buf); err != nil {
					b.Fatal(err)
				}
				return time.Since(began)
			}
			for i := range uint32(20) { // ARP
				exchange(i)
			}
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			b.ResetTimer()
			for i := range b.N {
				<-pace.C
				took = append(took, exchange(uint32(i)))
			}
			slices.Sort(took)
			for name, share := range map[string]float64{"p50-us": 0.5, "p99-us": 0.99} {
				b.ReportMetric(float64(took[int(share*float64(len(took)-1))].Nanoseconds())/1e3, name)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkWireThroughput measures the throughput of one TCP connection.
func BenchmarkWireThroughput(b *testing.B) {
	for _, wire := range wires[:2] {
		b.Run(wire.name, func(b *testing.B) {
			pair := acrossWire(b, wire.params)
			there, _ := pair.Host("lb2").Interface(lab.Clients)
			at := net.TCPAddrFromAddrPort(netip.AddrPortFrom(there.Addr.Addr(), 9002))
			var listener *net.TCPListener
			var out *net.TCPConn
			in(b, pair.Host("lb2"), func() (err error) { listener, err = net.ListenTCP("tcp4", at); return err })
			defer listener.Close()
			in(b, pair.Host("lb1"), func() (err error) { out, err = net.DialTCP("tcp4", nil, at); return err })
			defer out.Close()
			end, err := listener.AcceptTCP()
			if err != nil {
				b.Fatal(err)
			}
			defer end.Close()
			const chunk = 256 << 10
			b.SetBytes(chunk)
			b.ResetTimer()
			go func() {
				data := make([]byte, chunk)
				for range b.N {
					if _, err := out.Write(data); err != nil {
						return
					}
				}
				_ = out.CloseWrite()
			}()
			n, err := io.Copy(io.Discard, end)
			if err != nil || n != int64(b.N)*chunk {
				b.Fatalf("%d bytes of %d: %v", n, int64(b.N)*chunk, err)
			}
			b.ReportMetric(float64(8*n)/b.Elapsed().Seconds()/1e9, "Gbit/s")
		})
	}
}
