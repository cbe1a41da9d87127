package bpf

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// redirects makes the lab's ends accept packets that XDP redirects to them.
func (l *lab) redirects(t *testing.T) {
	t.Helper()
	inside(t, l.client, func() error { return receiveRedirected("eth0") })
	inside(t, l.backend, func() error { return receiveRedirected("eth0") })
}

// wholeChecksums makes the ends complete the checksums of sent packets, as NICs do.
func (l *lab) wholeChecksums(t *testing.T) {
	t.Helper()
	inside(t, l.client, func() error { return noChecksumOffload("eth0") })
	inside(t, l.backend, func() error { return noChecksumOffload("eth0") })
}

// A large transfer over XDP. Packets with partial checksums go by TCX, so no byte is lost;
// packets with complete ones go by XDP.
func TestTCPOverXDP(t *testing.T) {
	overXDP(t)
	for _, family := range []struct {
		name string
		over func(testing.TB)
	}{{"IPv4", func(testing.TB) {}}, {"IPv6", overIPv6}} {
		t.Run(family.name, func(t *testing.T) {
			family.over(t)
			l := newModesLab(t)
			t.Run("partial checksums", func(t *testing.T) { eachMode(t, l.transfer) })
			if f := counters(t, l.dp).Fast; f.Left[dataplane.LeftChecksum] == 0 {
				t.Errorf("%+v: no packet had a partial checksum", f)
			}
			l.wholeChecksums(t)
			before := counters(t, l.dp)
			t.Run("whole checksums", func(t *testing.T) { eachMode(t, l.transfer) })
			after := counters(t, l.dp)
			for direction := range after.Forwarded {
				all, fast := after.Forwarded[direction]-before.Forwarded[direction], after.Fast.Forwarded[direction]-before.Fast.Forwarded[direction]
				if fast < all/2 {
					t.Errorf("direction %d: %d of %d packets went by XDP: %+v", direction, fast, all, after.Fast)
				}
			}
		})
	}
}

func TestUDPOverXDP(t *testing.T) {
	overXDP(t)
	l := newModesLab(t)
	l.wholeChecksums(t)
	l.datagrams(t)
	if f := counters(t, l.dp).Fast.Forwarded; f[0] == 0 || f[1] == 0 {
		t.Errorf("%v datagrams went by XDP", f)
	}
}

// A flow that goes by XDP stops with the lease, like any other, and continues with the next one.
func TestXDPHeedsTheLease(t *testing.T) {
	overXDP(t)
	for _, family := range []struct {
		name string
		over func(testing.TB)
	}{{"IPv4", func(testing.TB) {}}, {"IPv6", overIPv6}} {
		t.Run(family.name, func(t *testing.T) {
			family.over(t)
			s := newProgramSubject(t, testConfig())
			o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
			until := origin.Add(time.Millisecond)
			s.must(s.Lease(until))
			s.must(s.Apply([]flow.Entry{{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced}}))
			send := func(want [2]uint64, fates ...string) {
				t.Helper()
				for i, st := range []step{in(o, ack, ""), back(r, ack, "")} {
					if got, _ := fate(t, s, st.link, st.frame); got != fates[i] {
						t.Errorf("%s, want %s", got, fates[i])
					}
				}
				if s.fast.Forwarded != want {
					t.Errorf("%v packets went by XDP, want %v", s.fast.Forwarded, want)
				}
			}
			there, back := forwarded(r.Reverse()), forwarded(o.Reverse())
			send([2]uint64{0, 0}, there, back) // the kernel's turn
			send([2]uint64{1, 1}, there, back)
			s.advance(until)
			send([2]uint64{1, 1}, "drop no-lease", "drop no-lease")
			s.must(s.Lease(clock.Never))
			send([2]uint64{2, 2}, there, back)
		})
	}
}

// XDP leaves one packet per second and direction to the kernel, whose neighbour table would otherwise
// not learn that the neighbour is in use. In each new tick XDP looks the neighbour up itself.
func TestXDPLeavesTheKernelItsTurn(t *testing.T) {
	overXDP(t)
	s := newProgramSubject(t, testConfig())
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	s.must(s.Lease(clock.Never))
	s.must(s.Apply([]flow.Entry{{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced}}))
	for i, tt := range []struct {
		after time.Duration
		fast  uint64 // of each direction so far
	}{{0, 0}, {0, 1}, {200 * time.Millisecond, 2}, {0, 3}, {time.Second, 3}, {0, 4}} {
		s.advance(s.fakeNow().Add(tt.after))
		s.packet("client0", fromClient(o, ack))
		s.packet("backend0", fromBackend(r, ack))
		if counters(t, s); s.fast.Forwarded != [2]uint64{tt.fast, tt.fast} {
			t.Errorf("step %d: %v packets went by XDP, want %d of each direction", i, s.fast.Forwarded, tt.fast)
		}
	}
}

// A node that is restarted with another hook on the same pinned table has the programs of that hook,
// and no XDP program is left attached.
func TestTheHookChangesWithAPinnedTable(t *testing.T) {
	cfg := labConfig(labService(flow.TCP, 80, dataplane.FullNAT, dataplane.RoundRobin, 8080))
	cfg.Pin = pinFolder(t)
	overXDP(t)
	l := newLab(t, cfg)
	l.wholeChecksums(t)
	l.lease(t, clock.Never)
	go echo(l.listen(t, 8080))
	conn := l.dial(t, "tcp", 80)
	for _, hook := range []dataplane.Hook{dataplane.HookXDP, dataplane.HookTCX, dataplane.HookXDP} {
		cfg.Hook = hook
		if a := l.restart(t, cfg); !a.Taken {
			t.Fatalf("%s: the table was not adopted: %+v", hook, a)
		}
		l.lease(t, clock.Never)
		for range 3 {
			exchange(t, conn, "over "+hook.String())
		}
		if fast := counters(t, l.dp).Fast.Forwarded; (fast[0] > 0) != (hook == dataplane.HookXDP) {
			t.Errorf("%s: %v packets went by XDP", hook, fast)
		}
		l.waitForXDP(t, hook == dataplane.HookXDP)
	}
}

// waitForXDP waits until the client link has an XDP program, or has none: the kernel detaches one
// some time after the last descriptor of it was closed.
func (l *lab) waitForXDP(t *testing.T, want bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		var attached bool
		inside(t, l.lb, func() error {
			on, err := netlink.LinkByName("client0")
			if err == nil {
				attached = on.Attrs().Xdp.Attached
			}
			return err
		})
		if attached == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("XDP on client0: %v, want %v", attached, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// If the links lack a feature, the error names the link and the remedy; with auto it is the reason for
// TCX.
func TestXDPNeedsLinksThatCan(t *testing.T) {
	needRoot(t)
	host, ends := newNamespace(t), newNamespace(t)
	wire(t, host, "client0", "198.18.0.1/24", ends, "client0", "198.18.0.2/24")
	wire(t, host, "backend0", "198.18.1.1/24", ends, "backend0", "198.18.1.2/24")
	open := func(hook dataplane.Hook) (attached dataplane.Attachment, err error) {
		inside(t, host, func() error {
			var d *Dataplane
			cfg := labConfig()
			cfg.Hook = hook
			if d, err = Open(cfg); err != nil {
				return nil
			}
			attached = d.Attached()
			return d.Close()
		})
		return attached, err
	}
	if _, err := open(dataplane.HookXDP); err == nil || !strings.Contains(err.Error(), "client0") || !strings.Contains(err.Error(), "use dataplane: tcx") {
		t.Errorf("without GRO at the other end: %v, want an error that names client0 and says what to do", err)
	}
	if at, err := open(dataplane.HookAuto); err != nil || at.Hook != dataplane.HookTCX || at.Why == "" {
		t.Errorf("auto: %+v, %v, want TCX and why", at, err)
	}
	inside(t, ends, func() error { return errors.Join(receiveRedirected("client0"), receiveRedirected("backend0")) })
	if at, err := open(dataplane.HookXDP); err != nil || at != (dataplane.Attachment{Hook: dataplane.HookXDP}) {
		t.Errorf("with GRO at the other ends: %+v, %v", at, err)
	}
	inside(t, host, func() error {
		i, err := net.InterfaceByName("client0")
		if err != nil {
			return err
		}
		d, err := driverOf(i)
		if err == nil && d.kind != "veth" {
			t.Errorf("client0 is a %q", d.kind)
		}
		return err
	})
}

func TestChoiceOfTheHook(t *testing.T) {
	all := xdpBasic | xdpRedirect | xdpTransmit
	nic, veth, deaf := driver{"eth0", "", all}, driver{"veth0", "veth", all}, driver{"eth1", "", xdpBasic | xdpRedirect}
	for _, tt := range []struct {
		name  string
		want  dataplane.Hook
		links []driver
		hook  dataplane.Hook
		why   string // of auto, or the error
	}{
		{"tcx asks nothing", dataplane.HookTCX, []driver{{}, {}}, dataplane.HookTCX, ""},
		{"auto takes XDP on two NICs", dataplane.HookAuto, []driver{nic, nic}, dataplane.HookXDP, ""},
		{"auto does without on a veth", dataplane.HookAuto, []driver{nic, veth}, dataplane.HookTCX, "link veth0 is a veth"},
		{"auto does without on a NIC that cannot", dataplane.HookAuto, []driver{nic, deaf}, dataplane.HookTCX, "link eth1 cannot send"},
		{"xdp takes a veth that can", dataplane.HookXDP, []driver{veth, veth}, dataplane.HookXDP, ""},
		{"xdp refuses a NIC that cannot", dataplane.HookXDP, []driver{deaf, nic}, dataplane.HookTCX, "link eth1 cannot send"},
		{"xdp refuses a driver without it", dataplane.HookXDP, []driver{nic, {link: "br0", kind: "bridge"}}, dataplane.HookTCX, "link br0 has no native XDP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, err := choose(tt.want, tt.links...)
			why := at.Why
			if err != nil {
				why = err.Error()
			}
			if at.Hook != tt.hook || (err != nil) != (tt.want == dataplane.HookXDP && tt.why != "") || !strings.Contains(why, tt.why) || tt.why == "" && why != "" {
				t.Errorf("%s: %+v, %v", tt.name, at, err)
			}
		})
	}
}

// A datagram without a checksum (RFC 768, and RFC 6935 over IPv6) that XDP forwards stays without one: an
// incremental update of the zero would not be a valid checksum.
func TestXDPLeavesDatagramsWithoutAChecksumAlone(t *testing.T) {
	for _, family := range []string{"IPv4", "IPv6"} {
		t.Run(family, func(t *testing.T) {
			overXDP(t)
			if family == "IPv6" {
				overIPv6(t)
			}
			s := newProgramSubject(t, testConfig())
			o, r := toVIP(flow.UDP, 40000, fullnatPort), snatReply(flow.UDP, 40000, 0)
			s.must(s.Lease(clock.Never))
			s.must(s.Apply([]flow.Entry{{Original: o, Reply: r, State: flow.Assured, Origin: flow.Synced}}))
			bare := func(frame []byte) []byte {
				return edited(frame, func(f []byte) []byte { l4 := partsOf(f).l4; f[l4+6], f[l4+7] = 0, 0; return f })
			}
			for n := range uint64(3) { // the first of each direction goes by TCX
				for _, way := range []struct {
					link, want string
					frame      []byte
				}{{"client0", forwarded(r.Reverse()), fromClient(o, 0)}, {"backend0", forwarded(o.Reverse()), fromBackend(r, 0)}} {
					got, out := fate(t, s, way.link, bare(way.frame))
					if got != way.want {
						t.Fatalf("got %s, want %s", got, way.want)
					}
					if l4 := partsOf(out).l4; out[l4+6] != 0 || out[l4+7] != 0 {
						t.Errorf("datagram %d from %s has the checksum %02x%02x now", n, way.link, out[l4+6], out[l4+7])
					}
				}
				if counters(t, s); s.fast.Forwarded != [2]uint64{n, n} {
					t.Fatalf("%v datagrams went by XDP, want %d of each direction", s.fast.Forwarded, n)
				}
			}
		})
	}
}

// A packet whose checksum its sender left to the device goes by TCX: XDP would transmit it without one.
func TestXDPLeavesPartialChecksumsToTheKernel(t *testing.T) {
	overXDP(t)
	bothFamilies(t, func(t *testing.T) {
		s := newProgramSubject(t, testConfig())
		for _, proto := range []flow.Proto{flow.TCP, flow.UDP, flow.SCTP} {
			s.reset()
			s.must(s.Lease(clock.Never))
			o, r, state := toVIP(proto, 40000, dnatPort), dnatReply(proto, 40000, 8081), flow.Established
			if proto == flow.UDP {
				state = flow.Assured
			}
			s.must(s.Apply([]flow.Entry{{Original: o, Reply: r, State: state, Origin: flow.Synced}}))
			for i, fast := range []uint64{0, 1, 1, 2} { // the first of each direction is the kernel's
				for _, st := range []step{in(o, ack, forwarded(r.Reverse())), back(r, ack, forwarded(o.Reverse()))} {
					if i == 2 {
						st.frame = partial(st.frame)
					}
					if got, _ := fate(t, s, st.link, st.frame); got != st.want {
						t.Errorf("%s, packet %d: %s, want %s", proto, i, got, st.want)
					}
				}
				if counters(t, s); s.fast.Forwarded != [2]uint64{fast, fast} {
					t.Errorf("%s, packet %d: %v packets went by XDP, want %d of each direction", proto, i, s.fast.Forwarded, fast)
				}
			}
		}
	})
}
