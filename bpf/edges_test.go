package bpf

import (
	"encoding/binary"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// A configuration with the maximum number of services can be replaced by one that shares
// none with it.
func TestSetServicesReplacesAll(t *testing.T) {
	eachSubject(t, testConfig(), func(t *testing.T, s subject) {
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		for first := uint16(1000); first < 1000+3*dataplane.MaxServices; first += dataplane.MaxServices {
			var services []dataplane.Service
			for port := first; port < first+dataplane.MaxServices; port++ {
				services = append(services, labService(flow.UDP, port, dataplane.DNAT, dataplane.RoundRobin, port+1))
			}
			if err := s.SetServices(services, testConfig().VIPs); err != nil {
				t.Fatal(err)
			}
			last := first + dataplane.MaxServices - 1
			got, _ := fate(t, s, "client0", fromClient(toVIP(flow.UDP, 40000, last), 0))
			if want := forwarded(dnatReply(flow.UDP, 40000, last+1).Reverse()); got != want {
				t.Errorf("service %d: got %s, want %s", last, got, want)
			}
			got, _ = fate(t, s, "client0", fromClient(toVIP(flow.UDP, 40000, first-1), 0))
			if got != "drop no-service" {
				t.Errorf("service %d, which is gone: got %s", first-1, got)
			}
		}
	})
}

// An unchanged service continues its round robin. A changed one starts over with its new
// backends, also if others change at the same time, and if it returns to an earlier state.
func TestSetServicesChangesOnlyWhatDiffers(t *testing.T) {
	service := func(port uint16, backends ...uint16) dataplane.Service {
		return labService(flow.UDP, port, dataplane.DNAT, dataplane.RoundRobin, backends...)
	}
	eachSubject(t, testConfig(), func(t *testing.T, s subject) {
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		client := uint16(40000)
		expect := func(step string, port, backend uint16) {
			t.Helper()
			client++
			got, _ := fate(t, s, "client0", fromClient(toVIP(flow.UDP, client, port), 0))
			if want := forwarded(dnatReply(flow.UDP, client, backend).Reverse()); got != want {
				t.Errorf("%s: service %d: got %s, want %s", step, port, got, want)
			}
		}
		for _, step := range []struct {
			name     string
			services []dataplane.Service
			want     [2]uint16 // the backend of the next flow of the services 1 and 2
		}{
			{"at first", []dataplane.Service{service(1, 11, 12, 13), service(2, 21, 22)}, [2]uint16{11, 21}},
			{"one has another backend", []dataplane.Service{service(1, 11, 12, 13), service(2, 23, 22)}, [2]uint16{12, 23}},
			{"it has the first one again", []dataplane.Service{service(1, 11, 12, 13), service(2, 21, 22)}, [2]uint16{13, 21}},
			{"they come in another order", []dataplane.Service{service(2, 21, 22), service(1, 11, 12, 13)}, [2]uint16{11, 22}},
		} {
			if err := s.SetServices(step.services, testConfig().VIPs); err != nil {
				t.Fatal(err)
			}
			expect(step.name, 1, step.want[0])
			expect(step.name, 2, step.want[1])
		}
	})
}

// From a table that is three quarters full, Sweep removes entries that are unanswered for two
// seconds. Established ones and affinities stay. Below that mark, or with KeepEmbryonic, all stay.
func TestEmbryonicEntriesMakeRoom(t *testing.T) {
	for _, tt := range []struct {
		name              string
		embryonic, others int
		keep              bool
		evicted           int
	}{
		{"below the mark", 3, 2, false, 0},
		{"at the mark", 4, 2, false, 4},
		{"full", 2, 6, false, 2},
		{"where they are to be kept", 4, 2, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig() // of 8 flows
			cfg.KeepEmbryonic = tt.keep
			eachSubject(t, cfg, func(t *testing.T, s subject) {
				if err := s.Lease(clock.Never); err != nil {
					t.Fatal(err)
				}
				for i := range tt.others {
					if err := s.Apply([]flow.Entry{filler(i)}); err != nil {
						t.Fatal(err)
					}
				}
				for i := range tt.embryonic {
					s.packet("client0", fromClient(toVIP(flow.TCP, uint16(50000+i), dnatPort), syn))
				}
				for _, step := range []struct {
					idle    time.Duration
					evicted int
				}{{dataplane.PressedLife - time.Millisecond, 0}, {dataplane.PressedLife, tt.evicted}} {
					at := origin.Add(step.idle)
					s.advance(at)
					removed, err := s.Sweep(at, 0)
					if err != nil || len(removed) != step.evicted {
						t.Errorf("idle for %v: %d entries removed, want %d: %v", step.idle, len(removed), step.evicted, err)
					}
					for _, e := range removed {
						if e.State != flow.SynSent {
							t.Errorf("removed %s", entryLine(e))
						}
					}
				}
				if got := counters(t, s).Evicted; got != uint64(tt.evicted) {
					t.Errorf("%d evictions counted, want %d", got, tt.evicted)
				}
				if got, want := len(table(t, s)), tt.embryonic+tt.others-tt.evicted; got != want {
					t.Errorf("%d entries are left, want %d", got, want)
				}
				checkClaims(t, s)
			})
		})
	}
}

// Events that find the ring full are lost and counted; the flows are not lost.
func TestLostEventsAreCounted(t *testing.T) {
	eachSubject(t, testConfig(), func(t *testing.T, s subject) {
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		o := toVIP(flow.TCP, 40000, fullnatPort)
		opening, closing := fromClient(o, syn), withNumbers(fromClient(o, rst), clientISN+1, 0)
		for range (eventCapacity() + 3) / 2 {
			s.packet("client0", opening)
			s.packet("client0", closing)
		}
		if got := counters(t, s).EventsLost; got != 3 {
			t.Errorf("%d events lost, want 3", got)
		}
		if got := len(events(t, s)); got != eventCapacity() {
			t.Errorf("%d events pending, want %d", got, eventCapacity())
		}
		s.packet("client0", opening)
		if got := len(events(t, s)); got != 1 {
			t.Errorf("%d events pending after the ring was read, want 1", got)
		}
	})
}

// A Poll ends at its limit, or with the events that were pending when it began: a flood of
// new flows must not block the reader of their events.
func TestPollIsBounded(t *testing.T) {
	eachSubject(t, testConfig(), func(t *testing.T, s subject) {
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		o := toVIP(flow.TCP, 40000, fullnatPort)
		frames := [][]byte{fromClient(o, syn), withNumbers(fromClient(o, rst), clientISN+1, 0)}
		states := []flow.State{flow.SynSent, flow.Closed}
		happened, read := 0, 0
		happen := func() {
			s.packet("client0", frames[happened%2])
			happened++
		}
		for range 5 {
			happen()
		}
		for i, tt := range []struct {
			limit, events int
			more          bool
		}{{3, 3, true}, {dataplane.AllPending, 5, true}, {0, 0, true}, {5, 5, true}, {100, 5, true}} {
			got := 0
			more, err := s.Poll(tt.limit, func(e flow.Event) {
				if want := states[read%2]; e.Entry.State != want {
					t.Errorf("poll %d: event %d says %s, want %s", i, read, e.Entry.State, want)
				}
				got, read = got+1, read+1
				if got < 2*eventCapacity() { // each read event is followed by another
					happen()
				}
			})
			if err != nil || got != tt.events || more != tt.more {
				t.Errorf("poll %d, limit %d: %d events, more %v, error %v; want %d, %v", i, tt.limit, got, more, err, tt.events, tt.more)
			}
		}
		if more, err := s.Poll(dataplane.AllPending, func(flow.Event) { read++ }); more || err != nil {
			t.Errorf("all read: more %v, error %v", more, err)
		}
		if read != happened {
			t.Errorf("%d events read, want %d", read, happened)
		}
	})
}

// A flow that a packet touches during a sweep is not removed.
func TestSweepSparesWhatIsTouchedMeanwhile(t *testing.T) {
	o, r := toVIP(flow.TCP, 40000, dnatPort), dnatReply(flow.TCP, 40000, 8081)
	for _, tt := range []struct {
		name    string
		passed  time.Duration
		flags   int
		removed int
	}{
		{"untouched", 0, -1, 1},
		{"seen again", 2 * time.Second, ack, 0}, // which changes only its time
		{"moved at the same instant", 0, fin | ack, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newProgramSubject(t, testConfig())
			s.must(s.Lease(clock.Never))
			s.must(s.Apply([]flow.Entry{{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced, Remaining: lifetimes.Established}}))
			s.packet("backend0", withNumbers(fromBackend(r, ack), backendISN, clientISN))
			s.packet("client0", withNumbers(fromClient(o, ack), clientISN, backendISN))
			expired, _, err := s.v4().expired(origin.Add(lifetimes.Established), 0, s.v4().beginPortCount(), s.v4().beginFlowCount())
			if err != nil || len(expired) != 1 {
				t.Fatalf("%d expired, %v; want 1", len(expired), err)
			}
			s.advance(origin.Add(tt.passed))
			if tt.flags >= 0 {
				s.packet("client0", withNumbers(fromClient(o, tt.flags), clientISN+uint32(len(payload)), backendISN))
			}
			removed, err := s.v4().removeUnchanged(expired, origin)
			if err != nil || len(removed) != tt.removed {
				t.Errorf("removed %d, %v; want %d", len(removed), err, tt.removed)
			}
			checkClaims(t, s)
		})
	}
}

// RFC 768: a checksum that comes out as zero is sent as all ones, since zero says
// that there is none.
func TestUDPChecksumThatComesOutAsZero(t *testing.T) {
	o, r := toVIP(flow.UDP, 40000, dnatPort), dnatReply(flow.UDP, 40000, 8081)
	// What must be added to the payload for the translated datagram to sum to zero.
	translated := fromBackend(r.Reverse(), 0)
	missing := uint32(translated[40])<<8 | uint32(translated[41])
	word := uint32(payload[0])<<8 | uint32(payload[1]) + missing
	word = word&0xffff + word>>16
	frame := frameTo(clientMAC, o, 0, string([]byte{byte(word >> 8), byte(word)})+payload[2:])
	eachSubject(t, testConfig(), func(t *testing.T, s subject) {
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		got, out := fate(t, s, "client0", frame)
		if want := forwarded(r.Reverse()); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		if out[40] != 0xff || out[41] != 0xff {
			t.Errorf("checksum %02x%02x, want ffff", out[40], out[41])
		}
	})
}

// A checksum that becomes 0 by the translation is written as 0xffff: 0 says that there is none, and IPv6 hosts
// drop such a datagram (RFC 768, 8200 8.1).
func TestAChecksumOfZeroIsWrittenAsItsComplement(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			send := func(payload []byte) uint16 {
				t.Helper()
				verdict, out := s.packet("client0", frameTo(clientMAC, toVIP(flow.UDP, 40000, fullnatPort), 0, string(payload)))
				if verdict != model.Forward {
					t.Fatalf("the datagram is not forwarded: %s", verdict)
				}
				return binary.BigEndian.Uint16(out[partsOf(out).l4+6:])
			}
			body := []byte(payload)
			for range 3 { // over XDP the first ones are left to the kernel
				send(body)
			}
			binary.BigEndian.PutUint16(body, sum(binary.BigEndian.AppendUint16(body[:2:2], send(body)))) // all sums to 0xffff
			if got := send(body); got != 0xffff {
				t.Errorf("checksum %#04x, want 0xffff", got)
			}
		})
	})
}
