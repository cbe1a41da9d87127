package bpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// keptPort is the port of an SCTP service whose backend has the same one.
const keptPort = 97

func sctpServices() []dataplane.Service {
	direct := labService(flow.SCTP, directPort, dataplane.DSRL2, dataplane.Maglev, directPort)
	direct.SNAT = flow.Addr{}
	tunnel := direct
	tunnel.Port, tunnel.Mode, tunnel.Backends = tunnelMaglev, dataplane.DSRIPIP, []dataplane.Backend{{Addr: tunnelAddress(backendAddr), Port: tunnelMaglev}}
	return []dataplane.Service{
		labService(flow.SCTP, fullnatPort, dataplane.FullNAT, dataplane.RoundRobin, 8080),
		labService(flow.SCTP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, 8081),
		labService(flow.SCTP, maglevPort, dataplane.DNAT, dataplane.Maglev, 8083),
		labService(flow.SCTP, keptPort, dataplane.DNAT, dataplane.RoundRobin, keptPort),
		affine(labService(flow.SCTP, affinePort, dataplane.DNAT, dataplane.RoundRobin, 8081, 8082)),
		direct, tunnel,
	}
}

// association is a flow whose packets the tests send.
type association struct{ original, reply flow.Tuple }

func (a association) client(tag uint32, chunks ...string) step {
	return step{link: "client0", frame: sctpFrame(clientMAC, a.original, tag, chunks...), want: forwarded(a.reply.Reverse())}
}

func (a association) backend(tag uint32, chunks ...string) step {
	return step{link: "backend0", frame: sctpFrame(backendMAC, a.reply, tag, chunks...), want: forwarded(a.original.Reverse())}
}

func (a association) init() step { return a.client(0, initChunk(chunkInit, clientTag)) }

func (a association) initAck() step { return a.backend(clientTag, initChunk(chunkInitAck, backendTag)) }

// associated returns a complete handshake followed by other steps.
func (a association) associated(then ...step) []step {
	return append([]step{a.init(), a.initAck(), a.client(backendTag, chunk(chunkCookieEcho, 0, "cookie")),
		a.backend(clientTag, chunk(chunkCookieAck, 0, ""))}, then...)
}

func (a association) line(s flow.State, o flow.Origin) string {
	return line(a.original, a.reply, s, o, dataplane.DefaultTimeouts().Of(s))
}

// opened returns the lines of an association in each of the states.
func (a association) opened(states ...flow.State) (lines []string) {
	for _, s := range states {
		lines = append(lines, a.line(s, flow.Opened))
	}
	return lines
}

// lengthened gives a chunk an invalid length.
func lengthened(c string, length byte) string { return c[:2] + "\x00" + string([]byte{length}) + c[4:] }

// sctpTests: associations, and which packets count (RFC 9260 8.5).
func sctpTests() []packetTest {
	full := association{toVIP(flow.SCTP, 40000, fullnatPort), tuple(flow.SCTP, backendAddr, 8080, snatAddr, snatReply(flow.SCTP, 40000, 0).DstPort)}
	a := association{toVIP(flow.SCTP, 40000, dnatPort), dnatReply(flow.SCTP, 40000, 8081)}
	m := association{toVIP(flow.SCTP, 40000, maglevPort), dnatReply(flow.SCTP, 40000, 8083)}
	const synSent, established, finWait, closed = flow.SynSent, flow.Established, flow.FinWait, flow.Closed
	data, sack := chunk(chunkData, 3, "data"), chunk(chunkSack, 0, "\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00")
	abort, aborted := chunk(chunkAbort, 0, ""), chunk(chunkAbort, reflected, "")
	shutdown, shutdownAck := chunk(chunkShutdown, 0, "\x00\x00\x00\x01"), chunk(chunkShutdownAck, 0, "")
	cookieEcho, cookieAck := chunk(chunkCookieEcho, 0, "cookie"), chunk(chunkCookieAck, 0, "")
	complete, completed := chunk(chunkShutdownComplete, 0, ""), chunk(chunkShutdownComplete, reflected, "")
	// test is a rule for an established association: what the table and the events then hold besides.
	test := func(rule string, a association, then []step, states ...flow.State) packetTest {
		states = append([]flow.State{synSent, established}, states...)
		return packetTest{rule: "sctp: " + rule, steps: a.associated(then...), table: a.opened(states[len(states)-1]), events: a.opened(states...)}
	}
	replicated := flow.Entry{Original: a.original, Reply: a.reply, State: established, Origin: flow.Synced, Remaining: lifetimes.Established}
	takenOver := func(rule string, steps []step, events []string, state flow.State) packetTest {
		return packetTest{rule: "sctp: after a takeover " + rule, steps: append([]step{apply(replicated)}, steps...),
			table: []string{a.line(state, flow.Synced)}, events: events}
	}
	over := []string{a.line(closed, flow.Synced)}
	malformed := func(frames ...[]byte) (steps []step) {
		for _, f := range frames {
			steps = append(steps, step{link: "client0", frame: f, want: "drop malformed"})
		}
		return steps
	}
	ofClient := func(tag uint32, chunks ...string) []byte {
		return sctpFrame(clientMAC, a.original, tag, append(chunks, payload)...)
	}
	return []packetTest{
		test("an association through fullnat", full, []step{full.client(backendTag, data), full.backend(clientTag, sack, data)}),
		test("an association through dnat", a, []step{a.client(backendTag, data), a.backend(clientTag, sack, data)}),
		{
			rule: "sctp: an INIT opens, and only the backend's answer to the cookie establishes",
			steps: []step{a.init(), a.init(), a.initAck(), a.client(backendTag, cookieEcho), a.client(backendTag, data),
				a.backend(0xbad, sack), a.client(clientTag, data)},
			table: a.opened(synSent), events: a.opened(synSent),
		}, {
			rule:  "sctp: data of the backend shows that its COOKIE ACK has passed",
			steps: []step{a.init(), a.initAck(), a.client(backendTag, cookieEcho), a.backend(clientTag, sack)},
			table: a.opened(established), events: a.opened(synSent, established),
		}, {
			rule:  "sctp: a backend refuses an INIT by an ABORT with the client's tag",
			steps: []step{a.init(), a.backend(clientTag, abort)},
			table: a.opened(closed), events: a.opened(synSent, closed),
		}, {
			rule:  "sctp: any other ABORT refuses nothing",
			steps: []step{a.init(), a.backend(0, abort), a.backend(0xbad, abort), a.client(0, abort), a.client(clientTag, abort)},
			table: a.opened(synSent), events: a.opened(synSent),
		}, {
			rule: "sctp: packets without an entry are misses",
			steps: func() (steps []step) {
				for _, c := range []string{data, sack, abort, shutdown, shutdownAck, complete, cookieEcho, initChunk(chunkInitAck, 1)} {
					s := a.client(backendTag, c)
					s.want = "drop miss"
					steps = append(steps, s)
				}
				return steps
			}(),
		},
		test("a client's ABORT needs the backend's tag", a, []step{a.client(0xbad, abort), a.client(0, abort), a.client(clientTag, abort), a.client(backendTag, aborted)}),
		test("with it it ends the association", a, []step{a.client(backendTag, abort)}, closed),
		test("as does one that reflects the tag of the packets that it answers", a, []step{a.client(clientTag, aborted)}, closed),
		test("a backend's ABORT needs the client's tag", a, []step{a.backend(0xbad, abort), a.backend(backendTag, abort), a.backend(clientTag, aborted)}),
		test("a backend's ABORT with it", a, []step{a.backend(clientTag, abort)}, closed),
		test("a backend's ABORT that reflects", a, []step{a.backend(backendTag, aborted)}, closed),
		test("a SHUTDOWN ends one direction", a, []step{a.client(0xbad, shutdown), a.client(backendTag, shutdown), a.backend(clientTag, data)}, finWait),
		test("a SHUTDOWN ACK both", a, []step{a.client(backendTag, shutdown), a.backend(0xbad, shutdownAck), a.backend(clientTag, shutdownAck),
			a.client(backendTag, complete)}, finWait, closed),
		test("a backend's shutdown", a, []step{a.backend(clientTag, sack, shutdown), a.client(backendTag, shutdownAck), a.backend(clientTag, complete)}, finWait, closed),
		test("two SHUTDOWNs that cross", a, []step{a.backend(clientTag, shutdown), a.client(backendTag, shutdown)}, finWait, closed),
		test("a SHUTDOWN COMPLETE needs a tag", a, []step{a.client(0xbad, complete), a.client(backendTag, completed), a.backend(clientTag, completed)}),
		test("with it it ends what the SHUTDOWN ACK has not", a, []step{a.backend(backendTag, completed)}, closed),
		test("a chunk may be bundled behind others that control", a, []step{a.client(backendTag, sack, chunk(chunkError, 0, ""), chunk(chunkHeartbeat, 0, "odd"), abort)}, closed),
		test("but not behind data, or many others", a, []step{a.client(backendTag, data, abort), a.client(backendTag, chunk(chunkIData, 3, "i"), abort),
			a.client(backendTag, sack, sack, sack, sack, abort), a.client(backendTag, sack, lengthened(sack, 3), abort)}),
		test("a blind INIT, and the INIT ACK that it provokes, change nothing", a, []step{a.client(0, initChunk(chunkInit, 0xbad)),
			a.backend(0xbad, initChunk(chunkInitAck, 7)), a.client(7, abort), a.client(0xbad, aborted), a.client(0, abort)}),
		test("a client that begins anew on its tuple has new tags", a, []step{a.client(0, initChunk(chunkInit, clientTag2)),
			a.backend(clientTag2, initChunk(chunkInitAck, backendTag2)), a.client(backendTag2, cookieEcho), a.backend(clientTag2, cookieAck),
			a.client(backendTag, abort), a.backend(clientTag, abort), a.client(backendTag2, abort)}, closed),
		test("a new association on the tuple of one that is over", a, []step{a.client(backendTag, abort), a.init(), a.initAck(), a.client(backendTag, cookieEcho),
			a.backend(clientTag, cookieAck)}, closed, synSent, established),
		{
			rule: "sctp: of two INIT ACKs the one counts whose cookie the client returns",
			steps: []step{a.init(), a.initAck(), a.init(), a.backend(clientTag, initChunk(chunkInitAck, backendTag2)), a.client(backendTag, cookieEcho),
				a.backend(clientTag, cookieAck), a.client(backendTag2, abort), a.client(backendTag, abort)},
			table: a.opened(closed), events: a.opened(synSent, established, closed),
		}, {
			rule: "sctp: a forged COOKIE ECHO does not replace that of the client",
			steps: []step{a.init(), a.initAck(), a.client(0xbad, cookieEcho), a.client(backendTag, cookieEcho), a.client(0xbad, cookieEcho),
				a.backend(clientTag, cookieAck), a.client(0xbad, abort), a.client(backendTag, shutdown)},
			table: a.opened(finWait), events: a.opened(synSent, established, finWait),
		},
		takenOver("no ABORT is believed", []step{a.client(backendTag, abort), a.backend(clientTag, abort), a.client(clientTag, aborted), a.client(0, abort)}, nil, established),
		takenOver("the backend shows its tag, and no client can guess it", []step{a.backend(clientTag, data), a.client(0xbad, aborted), a.backend(0xbad, abort)}, nil, established),
		takenOver("an INIT ACK shows no tag", []step{a.client(0, initChunk(chunkInit, 0xbad)), a.backend(0xbad, initChunk(chunkInitAck, 7)), a.client(0xbad, aborted)}, nil, established),
		takenOver("a client's ABORT that reflects the backend's tag", []step{a.backend(clientTag, sack), a.client(clientTag, aborted)}, over, closed),
		takenOver("an association is shut down by the backend's word", []step{a.client(backendTag, shutdown), a.backend(clientTag, shutdownAck)}, over, closed),
		takenOver("a handshake teaches both tags", []step{a.client(backendTag2, cookieEcho), a.backend(clientTag2, cookieAck), a.client(backendTag2, abort)}, over, closed),
		{
			rule:   "sctp: where the backend follows from the tuple a packet is adopted, and the backend confirms it",
			steps:  []step{onMiss(dataplane.MissAdopt), m.client(backendTag, data), m.client(backendTag, abort), m.backend(clientTag, sack)},
			table:  []string{m.line(established, flow.Adopted)},
			events: []string{m.line(synSent, flow.Adopted), m.line(established, flow.Adopted)},
		}, {
			rule: "sctp: an ABORT of a backend that does not know the adopted association is not its client's",
			steps: []step{onMiss(dataplane.MissAdopt), m.client(backendTag, data), func() step {
				s := m.backend(backendTag, aborted)
				s.want = "drop unconfirmed"
				return s
			}()},
			table:  []string{m.line(synSent, flow.Adopted)},
			events: []string{m.line(synSent, flow.Adopted)},
		}, {
			rule:   "sctp: an adopted COOKIE ECHO shows the client's tag",
			steps:  []step{onMiss(dataplane.MissAdopt), m.client(backendTag, cookieEcho), m.backend(clientTag, cookieAck), m.client(backendTag, abort)},
			table:  []string{m.line(closed, flow.Adopted)},
			events: []string{m.line(synSent, flow.Adopted), m.line(established, flow.Adopted), m.line(closed, flow.Adopted)},
		}, {
			rule: "sctp: headers that contradict themselves",
			steps: malformed(ofClient(1, initChunk(chunkInit, 7)), ofClient(0, lengthened(initChunk(chunkInit, 7), 19)),
				ofClient(0, lengthened(data, 3)), withIP(ofClient(0, data), 2, 0, 20+15), withIP(ofClient(0, initChunk(chunkInit, 7)), 2, 0, 20+12+19),
				withIP(ofClient(1, initChunk(chunkInitAck, 7)), 2, 0, 20+12+19)),
		},
	}
}

// Translation updates a checksum incrementally, for packets of any length, so that the receiver still
// detects a corrupt packet. A checksum of 0 stays.
func TestCRC32cIsChangedNotRepaired(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			s.reset()
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			o := toVIP(flow.SCTP, 40000, fullnatPort)
			s.packet("client0", sctpFrame(clientMAC, o, 0, initChunk(chunkInit, clientTag)))
			for _, n := range []int{0, 1, 2, 3, 4, 5, 100, 255, 256, 1000, 1400, 1420} {
				for _, wrong := range []uint32{0, 1, 0x80000000, 0xdeadbeef} {
					frame := sctpFrame(clientMAC, o, backendTag, chunk(chunkData, 3, string(bytes.Repeat([]byte("x"), n))))
					check := frame[partsOf(frame).l4+8:]
					binary.LittleEndian.PutUint32(check, binary.LittleEndian.Uint32(check)^wrong)
					_, out := s.packet("client0", frame)
					segment := out[partsOf(out).l4 : partsOf(out).l4+12+4+(n+3)&^3]
					if got := crc32c(segment) ^ binary.LittleEndian.Uint32(segment[8:]); got != wrong || tupleOf(out) == o {
						t.Fatalf("%d bytes: a checksum that was wrong by %#x is wrong by %#x: %x", n, wrong, got, out)
					}
				}
			}
			frame := partial(sctpFrame(clientMAC, o, backendTag, chunk(chunkData, 3, payload)))
			if _, out := s.packet("client0", frame); binary.LittleEndian.Uint32(out[partsOf(out).l4+8:]) != 0 {
				t.Errorf("a packet without a checksum got one: %x", out)
			}
		})
	})
}

// crcPowers also holds for packets longer than a frame, which the test programs do not send.
func TestCRC32cOfAnyLength(t *testing.T) {
	fine, coarse := crcPowers(crcFine, 1), crcPowers(crcCoarse, crcFine)
	multiply := func(a, b uint32) (product uint32) {
		for ; a != 0; a <<= 1 {
			if a>>31 == 1 {
				product ^= b
			}
			b = b>>1 ^ 0x82f63b78&-(b&1)
		}
		return product
	}
	for _, n := range []int{12, 2047, 2048, 2049, 9000, 40000, 65515} {
		a := bytes.Repeat([]byte{0x5a}, n)
		b := append([]byte{1, 2, 3, 4}, a[4:]...)
		change := binary.LittleEndian.Uint32(a) ^ binary.LittleEndian.Uint32(b)
		change = multiply(multiply(change, fine[n%crcFine]), coarse[n/crcFine])
		if got, want := crc32c(a)^change, crc32c(b); got != want {
			t.Errorf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
}

// Fragmented packets are forwarded only if the ports do not change: the CRC covers all fragments.
func TestFragmentsOfSCTP(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			s.reset()
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			for port, want := range map[uint16]string{fullnatPort: "drop fragment", dnatPort: "drop fragment", keptPort: "forward", directPort: "forward"} {
				o := toVIP(flow.SCTP, 40000, port)
				s.packet("client0", sctpFrame(clientMAC, o, 0, initChunk(chunkInit, clientTag)))
				for i, part := range fragments(sctpFrame(clientMAC, o, backendTag, chunk(chunkData, 3, long)), port, 48) {
					if got, _ := fate(t, s, "client0", part); len(got) < len(want) || got[:len(want)] != want {
						t.Errorf("port %d, fragment %d: %s, want %s", port, i, got, want)
					}
				}
			}
		})
	})
}

// An ICMP error about an INIT quotes its initiate tag; without it the sender must discard the error
// (RFC 9260 10). For any other packet the first eight bytes suffice.
func TestErrorsQuoteTheInitiateTag(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			a := association{toVIP(flow.SCTP, 40000, dnatPort), dnatReply(flow.SCTP, 40000, 8081)}
			for _, tt := range []struct {
				what   string
				frame  []byte
				quoted int // bytes
			}{{"an INIT", a.init().frame, 20}, {"data", sctpFrame(clientMAC, a.original, clientTag, chunk(chunkData, 3, "x")), 8}} {
				ttl, ip := 8, 20
				if inIPv6 {
					ttl, ip = 7, 40
				}
				frame := withIP(tt.frame, ttl, 1)
				_, out := s.packet("client0", frame)
				if want := frame[ethernetLen : ethernetLen+ip+tt.quoted]; !bytes.HasSuffix(out, want) || len(out) != ethernetLen+ip+8+len(want) {
					t.Errorf("the error about %s is\n%x, want it to quote\n%x", tt.what, out, want)
				}
			}
		})
	})
}

// An ICMP error is forwarded if it quotes the direction's tag. Before that is known, only an INIT may be quoted.
func TestErrorsAboutSCTP(t *testing.T) {
	eachSubject(t, testConfig(), func(t *testing.T, s subject) {
		a := association{toVIP(flow.SCTP, 40000, dnatPort), dnatReply(flow.SCTP, 40000, 8081)}
		d := association{toVIP(flow.SCTP, 40000, directPort), flow.Tuple{}}
		s.reset()
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		about := func(link string, quoted flow.Tuple, tag uint32, want string) {
			t.Helper()
			mac := clientMAC
			if link == "backend0" {
				mac = backendMAC
			}
			frame := errorFrame(mac, address(routerAddr), timeExceeded, 0, sctpFrame(peerMAC, quoted, tag, chunk(chunkData, 3, "x")), 8)
			if got, _ := fate(t, s, link, frame); got != want && len(got) > len(want) && got[:len(want)] != want || len(got) < len(want) {
				t.Errorf("%s, tag %#x: %s, want %s", link, tag, got, want)
			}
		}
		send := func(steps ...step) {
			t.Helper()
			for _, st := range steps {
				if got, _ := fate(t, s, st.link, st.frame); got != st.want {
					t.Fatalf("%s, want %s", got, st.want)
				}
			}
		}
		send(a.init())
		about("backend0", a.reply.Reverse(), 0, "forward icmp")
		about("client0", a.original.Reverse(), 0xbad, "drop icmp-forged")
		about("client0", a.original.Reverse(), clientTag, "forward icmp")
		send(a.associated()[1:]...)
		about("backend0", a.reply.Reverse(), 0, "drop icmp-forged")
		about("backend0", a.reply.Reverse(), clientTag, "drop icmp-forged")
		about("backend0", a.reply.Reverse(), backendTag, "forward icmp")
		about("client0", a.original.Reverse(), backendTag, "drop icmp-forged")
		about("client0", a.original.Reverse(), clientTag, "forward icmp")
		s.packet("client0", d.init().frame)
		s.packet("client0", d.client(backendTag, chunk(chunkCookieEcho, 0, "x")).frame)
		about("client0", d.original.Reverse(), 0xbad, "drop icmp-forged")
		about("client0", d.original.Reverse(), clientTag, "forward icmp")
	})
}

// The state of direct associations follows from the client's packets alone.
func TestDirectAssociations(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			o := toVIP(flow.SCTP, 40000, directPort)
			packet := func(tag uint32, chunks ...string) []byte { return sctpFrame(clientMAC, o, tag, chunks...) }
			begin := [][]byte{packet(0, initChunk(chunkInit, clientTag)), packet(backendTag, chunk(chunkCookieEcho, 0, "cookie"))}
			abort, aborted := chunk(chunkAbort, 0, ""), chunk(chunkAbort, reflected, "")
			shutdown := packet(backendTag, chunk(chunkShutdown, 0, "\x00\x00\x00\x01"))
			for _, tt := range []struct {
				rule  string
				then  [][]byte
				state flow.State
			}{
				{"the packet behind the INIT establishes", nil, flow.Established},
				{"an ABORT without the tag changes nothing", [][]byte{packet(0xbad, abort), packet(clientTag, abort), packet(0, abort)}, flow.Established},
				{"an ABORT with it", [][]byte{packet(backendTag, abort)}, flow.Closed},
				{"an ABORT that reflects", [][]byte{packet(backendTag, aborted), packet(clientTag, aborted)}, flow.Closed},
				{"a SHUTDOWN", [][]byte{shutdown}, flow.FinWait},
				{"a SHUTDOWN without the tag", [][]byte{packet(0xbad, chunk(chunkShutdown, 0, "\x00\x00\x00\x01"))}, flow.Established},
				{"a SHUTDOWN ACK", [][]byte{packet(backendTag, chunk(chunkShutdownAck, 0, ""))}, flow.Closed},
				{"a SHUTDOWN COMPLETE", [][]byte{shutdown, packet(backendTag, chunk(chunkShutdownComplete, 0, ""))}, flow.Closed},
				{"an INIT behind a SHUTDOWN begins anew", [][]byte{shutdown, begin[0], packet(backendTag2, chunk(chunkCookieEcho, 0, "cookie"))}, flow.Established},
				{"an INIT in between does not", [][]byte{begin[0], packet(backendTag, abort)}, flow.Closed},
			} {
				s.reset()
				if err := s.Lease(clock.Never); err != nil {
					t.Fatal(err)
				}
				for _, frame := range append(begin[:2:2], tt.then...) {
					if got, _ := fate(t, s, "client0", frame); got != forwarded(o) {
						t.Fatalf("%s: %s, want it forwarded unchanged", tt.rule, got)
					}
				}
				if e, ok, err := s.Lookup(o); !ok || err != nil || e.State != tt.state {
					t.Errorf("%s: %s (%v, %v), want %s", tt.rule, e.State, ok, err, tt.state)
				}
			}
		})
	})
}

// checkAbort checks that a frame is the ABORT to an INIT, back to its neighbour.
func checkAbort(init, out []byte, tag uint32) error {
	if len(out) < 50 || !bytes.Equal(out[:6], init[6:12]) || !bytes.Equal(out[6:12], init[:6]) {
		return fmt.Errorf("%x does not go back to the neighbour", out)
	}
	at := partsOf(out)
	want := sctpFrame(peerMAC, tupleOf(init).Reverse(), tag, chunk(chunkAbort, 0, ""))
	if segment := out[at.l4:min(at.l4+16, len(out))]; !bytes.Equal(segment, want[partsOf(want).l4:partsOf(want).l4+16]) {
		return fmt.Errorf("%x, want %x", out, want)
	}
	return checkSums(out)
}

func TestAnAssociationWithoutABackendIsRefused(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.ICMPRate = 1000
		s := labService(flow.SCTP, 90, dataplane.FullNAT, dataplane.RoundRobin)
		s.Refuse = true
		cfg.Services = append(cfg.Services, s)
		eachSubject(t, cfg, func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			o := toVIP(flow.SCTP, 40000, 90)
			plain := sctpFrame(clientMAC, o, 0, initChunk(chunkInit, 0xfeedbee1), payload)
			for name, frame := range map[string][]byte{"an INIT": plain, "one with something before": padded(plain)} {
				before := counters(t, s)
				_, out := s.packet("client0", frame)
				if err := checkAbort(frame, out, 0xfeedbee1); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if after := counters(t, s); after.Resets != before.Resets+1 || after.Dropped[dataplane.DropNoBackend] != before.Dropped[dataplane.DropNoBackend]+1 {
					t.Errorf("%s: counted %+v", name, after)
				}
			}
			if got, _ := fate(t, s, "client0", sctpFrame(clientMAC, o, 7, chunk(chunkData, 3, payload))); got != "drop miss" {
				t.Errorf("data: %s, want a miss", got)
			}
		})
	})
}
