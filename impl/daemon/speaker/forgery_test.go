package speaker

import (
	"maps"
	"net/netip"
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/daemon/bfdio"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
)

// forgery is a packet of an attacker, and the reason by which its drop is counted.
type forgery struct {
	name    string
	data    []byte
	ttl     int
	counted string
}

// bySession is the reason of drops by the session: the filter does not check it.
var bySession = bfd.DropDetectMult.String()

// forgeries are made for a session's minimum TTL and discriminator. Each would take the
// session down.
func forgeries(discr uint32, minTTL int) []forgery {
	down := bfd.Packet{State: bfd.Down, DetectMult: 3, MyDiscr: 9, YourDiscr: discr,
		DesiredMinTxInterval: time.Second, RequiredMinRxInterval: time.Second}
	other, unnamed := down, down
	other.YourDiscr ^= 1
	unnamed.YourDiscr, unnamed.State = 0, bfd.Init
	version := down.AppendTo(nil)
	version[0] ^= 3 << 5
	mult := down.AppendTo(nil)
	mult[2] = 0
	return []forgery{
		{"from farther away", down.AppendTo(nil), minTTL - 1, "ttl"},
		{"for another session", other.AppendTo(nil), 255, "your_discr"},
		{"Init for no session", unnamed.AppendTo(nil), 255, "state"},
		{"of another version", version, 255, "version"},
		{"cut", down.AppendTo(nil)[:23], 255, "truncated"},
		{"nearly empty", down.AppendTo(nil)[:3], 255, "length"},
		{"from as far as is taken, wrong otherwise", mult, minTTL, bySession},
	}
}

// TestForgeriesAreDiscardedByTheKernel: for each kind of session and IP version, packets
// that no session accepts are dropped and counted by reason before the loop sees them, by
// the rules of that kind: a TTL that is too low for a single hop may be valid for multihop.
func TestForgeriesAreDiscardedByTheKernel(t *testing.T) {
	a, b := cable(t)
	const minTTL = 250
	var left, right []config.BFDSession
	for _, pair := range [][2]string{{"198.18.9.1", "198.18.9.2"}, {"2001:2:0:9::1", "2001:2:0:9::2"}} {
		here, there := a.to(pair[0], pair[1]), b.to(pair[1], pair[0])
		here.Mult, there.Mult = 255, 255 // so that a stall of the host takes no session down
		left, right = append(left, here), append(right, there)
		here, there = multihop(here), multihop(there)
		here.Name, there.Name = "far "+here.Name, "far "+there.Name
		here.MinTTL = minTTL
		left, right = append(left, here), append(right, there)
	}
	one := a.speak(left...)
	b.speak(right...)
	before := await(t, one, "is Up", isUp)
	want := maps.Clone(before.Filtered)
	behind := map[string]uint64{bySession: 1}
	for i, x := range left {
		least, port := 255, bfdio.Port
		if x.Mode == config.MultiHop {
			least, port = minTTL, bfdio.MultihopPort
		}
		for _, f := range forgeries(before.Sessions[i].LocalDiscr, least) {
			b.transmit("", netip.AddrPortFrom(x.Local.Addr, uint16(port)), f.ttl, f.data)
			if f.counted != bySession {
				want[f.counted]++
			}
		}
	}
	after := awaitStatus(t, one, "counts all forgeries", func(s control.BFDStatus) bool { return total(s) == sum(want)+uint64(len(left)) })
	if !maps.Equal(after.Filtered, want) || after.NoSession != 0 {
		t.Errorf("filtered %v and %d of no session; want %v and none", after.Filtered, after.NoSession, want)
	}
	for i, x := range after.Sessions {
		if x.Counters.Downs != before.Sessions[i].Counters.Downs || !maps.Equal(x.Counters.Dropped, behind) {
			t.Errorf("session %s: %d downs, it had %d; dropped %v, want %v", x.Name, x.Counters.Downs, before.Sessions[i].Counters.Downs, x.Counters.Dropped, behind)
		}
	}
}

// total returns how many packets a speaker has dropped anywhere.
func total(s control.BFDStatus) uint64 {
	n := sum(s.Filtered) + s.NoSession
	for _, x := range s.Sessions {
		n += sum(x.Counters.Dropped)
	}
	return n
}

func sum(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}
