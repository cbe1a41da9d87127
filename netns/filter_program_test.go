package netns

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"baton/impl/flow"
	"baton/netns/internal/ip"
	"baton/scenarios/lab"
	"baton/scenarios/link"
)

// TestTheProgramKnowsTheKinds: on frames of every kind the program drops those that
// lab.Match matches, and no others.
func TestTheProgramKnowsTheKinds(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to load a program")
	}
	from := Interface{MAC: net.HardwareAddr{2, 0xba, 0x70, 1, 1, 1}, Addr: netip.MustParsePrefix("198.18.0.11/24"), Addr6: netip.MustParsePrefix("2001:2::11/64")}
	to := Interface{MAC: net.HardwareAddr{2, 0xba, 0x70, 1, 1, 2}, Addr: netip.MustParsePrefix("198.18.0.1/24"), Addr6: netip.MustParsePrefix("2001:2::1/64")}
	vip, other := flow.IPv4(198, 18, 0, 100), flow.IPv4(198, 18, 0, 101)
	vip6 := flow.AddrFrom(netip.MustParseAddr("2001:2::100"))
	matches := map[string]lab.Match{
		"":      {},
		"vip":   {Class: lab.ClassIPv4, Addrs: [lab.MaxAddrs]flow.Addr{other, vip}},
		"web":   {Class: lab.ClassIPv4, Proto: lab.ProtoTCP, Port: 80, Addrs: [lab.MaxAddrs]flow.Addr{vip}},
		"dns":   {Class: lab.ClassIPv4, Proto: lab.ProtoUDP, Port: 80},
		"web6":  {Class: lab.ClassIPv6, Proto: lab.ProtoTCP, Port: 80, Addrs: [lab.MaxAddrs]flow.Addr{flow.AddrFrom(netip.MustParseAddr("2001:2::101")), vip6}},
		"syn6":  {Class: lab.ClassIPv6, Proto: lab.ProtoTCP, Port: 80, Opens: true},
		"dns6":  {Class: lab.ClassIPv6, Proto: lab.ProtoUDP, Port: 80},
		"gw":    {Class: lab.ClassIPv4, Proto: lab.ProtoSCTP, Port: 80},
		"gw6":   {Class: lab.ClassIPv6, Proto: lab.ProtoSCTP, Port: 80},
		"vip6":  {Class: lab.IP, Addrs: [lab.MaxAddrs]flow.Addr{vip6, vip}},
		"asked": {Class: lab.ClassARP, Addrs: [lab.MaxAddrs]flow.Addr{vip}},
	}
	for _, k := range lab.PacketKinds {
		if k.Name != lab.VIP {
			matches[k.Name] = k.Match
		}
	}
	frames := map[string][]byte{"an answer": testFrame(from, to, matches["web"]), "a short one": testFrame(from, to, lab.Match{})[:20]}
	for name, m := range matches {
		frames[name] = testFrame(from, to, m)
	}
	client6 := flow.AddrFrom(from.Addr6.Addr())
	frames["a solicitation"] = neighbourMessage(from, to, ip.NeighbourSolicitation, 0, client6, vip6, vip6)
	frames["an advertisement"] = neighbourMessage(from, to, ip.NeighbourAdvertisement, ip.FlagSolicited, vip6, client6, vip6)
	frames["an announcement"] = neighbourMessage(from, to, ip.NeighbourAdvertisement, ip.FlagOverride, vip6, client6, vip6)
	frames["an unreachable"] = neighbourMessage(from, to, 1, 0, vip6, client6, vip6)
	frames["half a solicitation"] = frames["a solicitation"][:ndpTarget]
	// Options that could be mistaken for ports or for an inner packet.
	behindOptions := func(name string) {
		frame := slices.Concat(frames[name][:ipEnd], []byte{0, 80, 0, 80}, frames[name][ipEnd:])
		frame[ipVersion]++
		copy(frame[ipTarget:], vip.Bytes())
		frames[name+" behind options"] = frame
		if got, want := packetOf(frame), (lab.Packet{Class: lab.ClassIPv4, Proto: frame[ipProtocol], Src: flow.IPv4From([4]byte(frame[ipSource:])), Dst: vip}); got != want {
			t.Errorf("%s behind options is %+v, want %+v", name, got, want)
		}
	}
	behindOptions("web")
	for what, carrier := range map[string]flow.Addr{"IPv4": flow.AddrFrom(to.Addr.Addr()), "IPv6": flow.AddrFrom(to.Addr6.Addr())} {
		for name, proto := range map[string]uint8{"web": lab.ProtoIPv4, "web behind options": lab.ProtoIPv4, "web6": lab.ProtoIPv6, "an unreachable": lab.ProtoIPv6} {
			inside := frames[name][ethLen:]
			frame := slices.Concat(to.MAC, from.MAC, binary.BigEndian.AppendUint16(nil, ip.EtherTypes[ip.FamilyOf(carrier)]),
				ip.Header(carrier, carrier, proto, 64, len(inside)), inside)
			frames[name+" in "+what] = frame
			header := map[uint8]int{lab.ProtoIPv4: ip.Len4, lab.ProtoIPv6: ip.Len6}[proto]
			for part, length := range map[string]int{"the beginning": 8, "most of the header": header - 1, "the header": header, "a port": header + 2, "the ports": header + 4} {
				frames[part+" of "+name+" in "+what] = frame[:len(frame)-len(inside)+length]
			}
			bare := packetOf(frames[name])
			bare.SrcPort, bare.DstPort, bare.Opens = 0, 0, false
			if got := packetOf(frames["the header of "+name+" in "+what]); got != bare {
				t.Errorf("the header of %s in %s is %+v", name, what, got)
			}
			if got := packetOf(frame); got != packetOf(frames[name]) {
				t.Errorf("%s in %s is %+v", name, what, got)
			}
		}
	}
	behindOptions("web in IPv4")
	answer := frames["an answer"]
	copy(answer[portSource:portTarget], answer[portTarget:portsEnd])
	answer[portTarget], answer[tcpFlags] = 200, tcpSYN|tcpACK
	copy(answer[ipSource:], vip.Bytes())
	copy(answer[ipTarget:], other.Bytes())

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
		key, err := f.claim(from.MAC, &rule{})
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

// neighbourMessage is an ICMPv6 message with a target.
func neighbourMessage(from, to Interface, kind, flags uint8, source, destination, target flow.Addr) []byte {
	message := make([]byte, ndpEnd-ip6End)
	message[0], message[4] = kind, flags
	copy(message[8:], target[:])
	return slices.Concat(to.MAC, from.MAC, []byte{0x86, 0xdd}, ip.Header(source, destination, lab.ProtoICMPv6, 255, len(message)), message)
}

// TestSlotsRunOut: a sender has a limited number of rules of each kind, and a healed rule
// frees its slot.
func TestSlotsRunOut(t *testing.T) {
	f := &filter{used: map[[6]byte]uint64{}}
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	for _, leads := range []bool{false, true} {
		n := 0
		for ; n < 100; n++ {
			r := &rule{share: 0.5 * float64(n%2)}
			if leads {
				r = &rule{params: &link.Params{}}
			}
			key, err := f.claim(mac, r)
			if err != nil {
				break
			}
			f.used[key.MAC] |= 1 << key.Slot
		}
		if want := map[bool]int{false: int(divertFrom), true: int(slots - divertFrom)}[leads]; n != want {
			t.Errorf("leads %v: %d rules, want %d", leads, n, want)
		}
	}
	f.used[[6]byte(mac)] &^= 1 << 3
	if key, err := f.claim(mac, &rule{}); err != nil || key.Slot != 3 {
		t.Errorf("slot %d, %v", key.Slot, err)
	}
}
