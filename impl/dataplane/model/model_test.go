package model_test

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// The tests of package bpf run the same tables and random sequences through the model and
// the programs. These are the tests of the model alone.

var (
	vip     = flow.IPv4(198, 18, 0, 100)
	snat    = flow.IPv4(198, 18, 1, 100)
	client  = flow.IPv4(198, 18, 0, 11)
	backend = flow.IPv4(198, 18, 1, 11)
	mac     = model.MAC{2, 0, 0, 0, 0, 1}
)

func config() dataplane.Config {
	return dataplane.Config{
		ClientLink: "client0", BackendLink: "backend0",
		VIPs: []dataplane.VIP{
			{Addr: netip.MustParseAddr("198.18.0.100"), Link: "client0"},
			{Addr: netip.MustParseAddr("198.18.1.100"), Link: "backend0"},
		},
		Services: []dataplane.Service{{
			Service: flow.Service{VIP: vip, Port: 80, Proto: flow.TCP}, Name: "web", Mode: dataplane.FullNAT,
			Balance: dataplane.RoundRobin, SNAT: snat, Backends: []dataplane.Backend{{Addr: backend, Port: 8080}},
		}},
		SNATPorts: dataplane.PortRange{First: 20000, Last: 39999},
		Timeouts:  dataplane.DefaultTimeouts(),
	}
}

func newModel(t testing.TB, own ...flow.Addr) *model.Dataplane {
	t.Helper()
	d, err := model.New(config(), model.Host{ClientMAC: mac, BackendMAC: mac, Own: own})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// synFrame is a SYN of the client to the service, without TCP's checksum.
func synFrame(port uint16) []byte {
	f := make([]byte, 54)
	copy(f, mac[:])
	f[12], f[13] = 8, 0
	copy(f[14:], []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0})
	copy(f[26:], client.Bytes())
	copy(f[30:], vip.Bytes())
	f[24], f[25] = 0xee, 0x3c // the IP header's checksum
	f[34], f[35], f[37], f[46], f[47] = byte(port>>8), byte(port), 80, 0x50, 0x02
	return f
}

func TestOwnAddressIsNoVIP(t *testing.T) {
	_, err := model.New(config(), model.Host{Own: []flow.Addr{snat}})
	if err == nil || !strings.Contains(err.Error(), "198.18.1.100") {
		t.Errorf("error %v, want one that names 198.18.1.100", err)
	}
	newModel(t, client, client) // an address may be on two links
}

func TestWaitNeverBlocks(t *testing.T) {
	d := newModel(t)
	if err := d.Wait(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("wait without events: %v, want an error that is not EOF", err)
	}
	d.Lease(clock.Never)
	if got := d.Packet(1, "client0", synFrame(40000)); got.Verdict != model.Forward || got.Link != "backend0" {
		t.Fatalf("SYN: %s to %q, want it forwarded to backend0", got.Verdict, got.Link)
	}
	if err := d.Wait(); err != nil {
		t.Errorf("wait with an event: %v", err)
	}
	d.Close()
	if err := d.Wait(); err != io.EOF {
		t.Errorf("wait after close: %v, want EOF", err)
	}
}

// Every port of the probe sequence is within the range.
func TestSNATPortStaysInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Uint16Min(1).Draw(t, "first")
		r := dataplane.PortRange{First: first, Last: rapid.Uint16Min(first).Draw(t, "last")}
		got := model.SNATPort(r, rapid.Uint64().Draw(t, "hash"), rapid.IntRange(0, model.PortAttempts-1).Draw(t, "attempt"))
		if got < r.First || got > r.Last {
			t.Fatalf("port %d is not in %v", got, r)
		}
	})
}

// Similar flows must not share a slot or a port.
func TestHashSpreadsNeighbours(t *testing.T) {
	const buckets, flows = 64, 64 * 200
	var counts [buckets]int
	for i := range flows {
		tuple := flow.Tuple{Src: client, Dst: vip, SrcPort: uint16(10000 + i), DstPort: 80, Proto: flow.TCP}
		counts[model.Hash(tuple)%buckets]++
	}
	// 200 are expected in each; five standard deviations are 71.
	if least, most := slices.Min(counts[:]), slices.Max(counts[:]); least < 129 || most > 271 {
		t.Errorf("buckets hold from %d to %d of an expected 200", least, most)
	}
}

// FuzzPacket: no frame makes the model panic or lose one direction of a flow.
func FuzzPacket(f *testing.F) {
	f.Add(true, synFrame(40000))
	f.Add(false, synFrame(40000)[:33])
	f.Add(true, synFrame(40000)[:13])
	f.Add(false, []byte{})
	f.Fuzz(func(t *testing.T, fromClient bool, frame []byte) {
		d := newModel(t)
		d.Lease(clock.Never)
		d.SetMiss(dataplane.MissGuess)
		link := "backend0"
		if fromClient {
			link = "client0"
		}
		length := len(frame)
		out := d.Packet(1, link, frame)
		if out.Verdict == model.Forward && len(out.Frame) != length {
			t.Errorf("frame of %d bytes became %d", length, len(out.Frame))
		}
		claims := d.Claims()
		d.Dump(func(e flow.Entry) bool {
			if claims[e.Reply] != e.Original && !e.Reply.Unclaimed() {
				t.Errorf("entry %s: its reply tuple %s is claimed by %s", e.Original, e.Reply, claims[e.Reply])
			}
			delete(claims, e.Reply)
			return true
		})
		if len(claims) != 0 {
			t.Errorf("claims without an entry: %v", claims)
		}
	})
}

// BenchmarkPacket measures a packet's cost in the simulator.
func BenchmarkPacket(b *testing.B) {
	d := newModel(b)
	d.Lease(clock.Never)
	pristine := synFrame(40000)
	frame := make([]byte, len(pristine))
	b.ReportAllocs()
	for b.Loop() {
		copy(frame, pristine)
		d.Packet(1, "client0", frame)
	}
}
