package netns

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/cilium/ebpf"

	"baton/scenarios/lab"
)

// TestTheProgramKnowsTheKinds: on frames of every kind the program drops what lab.Match
// has, and nothing else.
func TestTheProgramKnowsTheKinds(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to load a program")
	}
	from := Interface{MAC: net.HardwareAddr{2, 0xba, 0x70, 1, 1, 1}, Addr: netip.MustParsePrefix("198.18.0.11/24")}
	to := Interface{MAC: net.HardwareAddr{2, 0xba, 0x70, 1, 1, 2}, Addr: netip.MustParsePrefix("198.18.0.1/24")}
	vip, other := [4]byte{198, 18, 0, 100}, [4]byte{198, 18, 0, 101}
	matches := map[string]lab.Match{
		"":      {},
		"vip":   {Ether: lab.EtherIPv4, Addrs: [4][4]byte{other, vip}},
		"web":   {Ether: lab.EtherIPv4, Proto: lab.ProtoTCP, Port: 80, Addrs: [4][4]byte{vip}},
		"dns":   {Ether: lab.EtherIPv4, Proto: lab.ProtoUDP, Port: 80},
		"asked": {Ether: lab.EtherARP, Addrs: [4][4]byte{vip}},
	}
	for _, k := range lab.PacketKinds {
		if k.Name != lab.VIP {
			matches[k.Name] = k.Match
		}
	}
	frames := map[string][]byte{"an answer": trial(from, to, matches["web"]), "a short one": trial(from, to, lab.Match{})[:20]}
	for name, m := range matches {
		frames[name] = trial(from, to, m)
	}
	answer := frames["an answer"]
	copy(answer[portSource:portTarget], answer[portTarget:portsEnd])
	answer[portTarget], answer[tcpFlags] = 200, tcpSYN|tcpACK
	copy(answer[ipSource:], vip[:])
	copy(answer[ipTarget:], other[:])

	entries, err := ebpf.NewMap(filterEntries())
	if err != nil {
		t.Fatal(err)
	}
	defer entries.Close()
	program, err := ebpf.NewProgram(filterProgram(entries))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	f := &filter{entries: entries, used: map[[6]byte]uint64{}}
	for name, m := range matches {
		key, err := f.claim(from.MAC, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.set(key, entryOf(m)); err != nil {
			t.Fatal(err)
		}
		had := 0
		for what, frame := range frames {
			verdict, _, err := program.Test(frame)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			want := m.Has(packetOf(frame))
			if want {
				had++
			}
			if got := verdict == tcxDrop; got != want {
				t.Errorf("%s of %q: dropped %v, want %v", what, name, got, want)
			}
		}
		if had == 0 || name != "" && had == len(frames) {
			t.Errorf("%q has %d of %d frames", name, had, len(frames))
		}
		if n, err := f.dropped(key); n != uint64(had) || err != nil {
			t.Errorf("%q: %d counted of %d, %v", name, n, had, err)
		}
		if err := f.unset(key); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSlotsRunOut: a sender has so many rules of a kind, and those that are healed make room.
func TestSlotsRunOut(t *testing.T) {
	f := &filter{used: map[[6]byte]uint64{}}
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	for _, leads := range []bool{false, true} {
		n := 0
		for ; n < 100; n++ {
			key, err := f.claim(mac, leads)
			if err != nil {
				break
			}
			f.used[key.MAC] |= 1 << key.Slot
		}
		if want := map[bool]int{false: int(leadFrom), true: int(slots - leadFrom)}[leads]; n != want {
			t.Errorf("leads %v: %d rules, want %d", leads, n, want)
		}
	}
	f.used[[6]byte(mac)] &^= 1 << 3
	if key, err := f.claim(mac, false); err != nil || key.Slot != 3 {
		t.Errorf("slot %d, %v", key.Slot, err)
	}
}
