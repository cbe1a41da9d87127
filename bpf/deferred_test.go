package bpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// deferringConfig is testConfig with deferred replies.
func deferringConfig() dataplane.Config {
	cfg := testConfig()
	cfg.Defer = true
	return cfg
}

// TestProgramsFollowTheModelWithDeferredReplies: they are sent and dropped at any time.
func TestProgramsFollowTheModelWithDeferredReplies(t *testing.T) {
	programsFollowTheModel(t, deferringConfig(), nil)
}

func TestProgramsFollowTheModelWithDeferredRepliesOverIPv6(t *testing.T) {
	overIPv6(t)
	programsFollowTheModel(t, deferringConfig(), nil)
}

// endReplies sends or drops deferred replies in both.
func (p *pair) endReplies(t *rapid.T) {
	send := rapid.Bool().Draw(t, "send")
	n := rapid.IntRange(0, len(p.deferred[0])).Draw(t, "replies")
	for i, s := range []subject{p.model, p.programs} {
		ids := p.deferred[i][:n]
		p.deferred[i] = p.deferred[i][n:]
		if !send {
			s.Discard(ids)
		} else if err := s.Release(ids); err != nil {
			t.Fatal(err)
		}
	}
	if send {
		p.reached["replies sent"] += n
	}
}

// events polls the model or the programs and notes the replies that they hold back.
func (p *pair) events(which int) (lines []string) {
	s := []subject{p.model, p.programs}[which]
	_, err := s.Poll(dataplane.AllPending, func(e flow.Event) {
		line := entryLine(e.Entry)
		if e.Deferred.ID != 0 {
			line = fmt.Sprintf("deferred, of %d bytes: %s", e.Deferred.Bytes, line)
			p.deferred[which] = append(p.deferred[which], e.Deferred.ID)
		}
		lines = append(lines, line)
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if s.Rung() {
		lines = append(lines, "the doorbell has rung")
	}
	return lines
}

// checkDeferred fails if no reply was deferred and sent.
func (r reach) checkDeferred(t *testing.T) {
	if testing.Short() {
		return
	}
	for _, w := range []string{"backend0 defer", "replies sent"} {
		if r[w] == 0 {
			t.Errorf("the sequences never reached %q", w)
		}
	}
}

// compareDeferred compares the replies that wait, bit for bit.
func (p *pair) compareDeferred() {
	programs := p.programs.(*programSubject)
	if programs.deferral == nil {
		return
	}
	waiting := p.model.(*modelSubject).Deferred()
	if len(waiting) != len(programs.deferral.waiting) || len(p.deferred[0]) != len(p.deferred[1]) {
		p.t.Fatalf("the model holds %d replies back, the programs %d", len(waiting), len(programs.deferral.waiting))
	}
	for i, id := range p.deferred[0] {
		got, want := programs.deferral.waiting[p.deferred[1][i]], waiting[id]
		if !bytes.Equal(got.packet, withoutPadding(want[ethernetLen:])) {
			p.t.Fatalf("deferred reply:\nmodel    %x\nprograms %x", want[ethernetLen:], got.packet)
		}
	}
}

// TestDeferredReplies follows a flow of each protocol from its beginning to its end.
func TestDeferredReplies(t *testing.T) {
	for _, kind := range []string{"model", "programs"} {
		t.Run(kind, func(t *testing.T) {
			var s subject = newModelSubject(t, deferringConfig())
			if kind == "programs" {
				s = newProgramSubject(t, deferringConfig())
			}
			if err := s.Lease(origin + 1e12); err != nil {
				t.Fatal(err)
			}
			for _, proto := range []flow.Proto{flow.TCP, flow.UDP} {
				checkDeferred(t, s, proto)
			}
		})
	}
}

func checkDeferred(t *testing.T, s subject, proto flow.Proto) {
	original, opens, answers := toVIP(proto, 40000, dnatPort), syn, syn|ack
	talk := conversation{}
	if _, err := s.Poll(dataplane.AllPending, func(flow.Event) {}); err != nil {
		t.Fatal(err)
	}
	send := func(link string, frame []byte, want string) {
		t.Helper()
		numbered := frame
		if proto == flow.TCP {
			numbered = talk.number(t, s, link, frame)
		}
		if got, _ := fate(t, s, link, numbered); got != want {
			t.Errorf("%s: %s on %s: %s, want %s", proto, proto, link, got, want)
		}
	}
	forwarded := func() uint64 { return counters(t, s).Forwarded[reply] }
	state := func(want flow.State) {
		t.Helper()
		if e, _, err := s.Lookup(original); err != nil || e.State != want {
			t.Errorf("%s: the flow is %v (%v), want %v", proto, e.State, err, want)
		}
	}
	checkDoorbell(t, s, false, "before the flow")
	send("client0", fromClient(original, opens), "forward "+forwardedAs(t, s, original).String())
	checkDoorbell(t, s, true, "for a flow whose reply will be deferred")
	e, _, err := s.Lookup(original)
	if err != nil {
		t.Fatal(err)
	}
	before, answer := forwarded(), fromBackend(e.Reply, answers)
	send("backend0", answer, "defer")
	checkDoorbell(t, s, true, "for a deferred reply")
	send("backend0", answer, "defer")
	if got := forwarded(); got != before {
		t.Errorf("%s: %d replies count as forwarded before they are", proto, got-before)
	}
	var kinds []uint64
	if _, err := s.Poll(dataplane.AllPending, func(e flow.Event) {
		kinds = append(kinds, e.Deferred.ID)
		if e.Deferred.ID != 0 && e.Entry.Original != original {
			t.Errorf("%s: deferred of %v", proto, e.Entry.Original)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if len(kinds) != 3 || kinds[0] != 0 || kinds[1] == 0 || kinds[2] <= kinds[1] {
		t.Fatalf("%s: events of deferred replies %v, want the flow's and then two", proto, kinds)
	}
	checkDoorbell(t, s, true, "after the events were read, which does not answer it")
	s.Discard(kinds[1:2])
	s.advance(origin.Add(time.Duration(proto) * time.Second)) // later for each protocol
	if err := s.Release(kinds[1:]); err != nil {
		t.Fatal(err)
	}
	if got := forwarded() - before; got != 1 {
		t.Errorf("%s: %d replies were sent, want the one that was not dropped", proto, got)
	}
	if proto == flow.UDP {
		state(flow.Assured)
		if e, _, err := s.Lookup(original); err != nil || e.Remaining != lifetimes.Assured {
			t.Errorf("the flow lives %v from when its reply was sent (%v), want %v", e.Remaining, err, lifetimes.Assured)
		}
		send("backend0", answer, "forward "+original.Reverse().String())
		return
	}
	state(flow.SynSent)
	send("client0", fromClient(original, ack), "forward "+e.Reply.Reverse().String())
	state(flow.Established)
	checkDoorbell(t, s, false, "for a change that no client waits for")
	send("backend0", fromBackend(e.Reply, ack|psh), "forward "+original.Reverse().String())
}

// checkDoorbell checks whether the doorbell has rung, and that its descriptor says the same
// before and is not readable afterwards.
func checkDoorbell(t *testing.T, s subject, want bool, when string) {
	t.Helper()
	readable := func() bool {
		if s.Doorbell() < 0 {
			return false
		}
		fds := []unix.PollFd{{Fd: int32(s.Doorbell()), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, 0); err != nil {
			t.Fatal(err)
		}
		return fds[0].Revents != 0
	}
	if _, programs := s.(*programSubject); programs && readable() != want {
		t.Errorf("the doorbell's descriptor is readable %t: %v, want %v", !want, when, want)
	}
	if got := s.Rung(); got != want {
		t.Errorf("the doorbell has rung %v %s, want %v", got, when, want)
	}
	if readable() || s.Rung() {
		t.Errorf("the doorbell rings on %s", when)
	}
}

func TestNobodyWaitsForEventsWithoutDeferral(t *testing.T) {
	for _, s := range []subject{newModelSubject(t, testConfig()), newProgramSubject(t, testConfig())} {
		if err := s.Lease(origin + 1e12); err != nil {
			t.Fatal(err)
		}
		original := toVIP(flow.TCP, 40000, dnatPort)
		if got, _ := fate(t, s, "client0", (&conversation{}).number(t, s, "client0", fromClient(original, syn))); got != "forward "+forwardedAs(t, s, original).String() {
			t.Errorf("the flow's SYN: %s", got)
		}
		if s.Doorbell() != -1 || s.Rung() {
			t.Errorf("%T: the doorbell is %d and has rung %v", s, s.Doorbell(), s.Rung())
		}
	}
}

// TestAFullDoorbellHasRung: it rings again once it is answered.
func TestAFullDoorbellHasRung(t *testing.T) {
	s := newProgramSubject(t, deferringConfig())
	if err := s.Lease(origin + 1e12); err != nil {
		t.Fatal(err)
	}
	original := toVIP(flow.UDP, 40000, dnatPort)
	fate(t, s, "client0", fromClient(original, 0))
	e, _, err := s.Lookup(original)
	if err != nil {
		t.Fatal(err)
	}
	deferred := func() {
		t.Helper()
		if got, _ := fate(t, s, "backend0", fromBackend(e.Reply, 0)); got != "defer" {
			t.Fatalf("the reply: %s", got)
		}
		if _, err := s.Poll(dataplane.AllPending, func(flow.Event) {}); err != nil { // which makes room
			t.Fatal(err)
		}
	}
	const rings = 4096 / 16 // each with its header
	for range 2 * rings {
		deferred()
	}
	checkDoorbell(t, s, true, "when it is full")
	deferred()
	checkDoorbell(t, s, true, "after it was full")
}

// TestRepliesLeaveRoomForEvents: half of the ring is reserved for events, because a flow whose event is
// lost is not replicated. A reply that does not fit into the other half is forwarded at once.
func TestRepliesLeaveRoomForEvents(t *testing.T) {
	const room, flows = eventRing/2/(128+8) + 1, 20 // a record has 128 bytes and its header; the last may begin before the half
	for _, tt := range []struct {
		proto  flow.Proto
		answer int
		then   flow.State
	}{{flow.TCP, syn | ack, flow.SynSent}, {flow.UDP, 0, flow.Assured}} {
		t.Run(tt.proto.String(), func(t *testing.T) {
			cfg := deferringConfig()
			cfg.MaxFlows = 2 * flows
			s := newProgramSubject(t, cfg)
			s.must(s.Lease(clock.Never))
			original, talk := toVIP(tt.proto, 40000, dnatPort), conversation{}
			send := func(st step) string {
				if tt.proto == flow.TCP {
					st.frame = talk.number(t, s, st.link, st.frame)
				}
				got, _ := fate(t, s, st.link, st.frame)
				return got
			}
			poll := func() (n int) {
				_, err := s.Poll(dataplane.AllPending, func(flow.Event) { n++ })
				s.must(err)
				return n
			}
			send(in(original, syn, ""))
			e, _, err := s.Lookup(original)
			s.must(err)
			poll()
			for i := range room {
				if got := send(back(e.Reply, tt.answer, "")); got != "defer" {
					t.Fatalf("reply %d: %s", i, got)
				}
			}
			if got, want := send(back(e.Reply, tt.answer, "")), forwarded(original.Reverse()); got != want {
				t.Errorf("the reply after %d: %s, want %s", room, got, want)
			}
			if e, _, err = s.Lookup(original); err != nil || e.State != tt.then {
				t.Errorf("the flow is %v (%v), want %v", e.State, err, tt.then)
			}
			for i := range uint16(flows) {
				send(in(toVIP(tt.proto, 41000+i, dnatPort), syn, ""))
			}
			if c := counters(t, s); c.Deferred != uint64(room) || c.Undeferred != 1 || c.Forwarded[reply] != 1 || c.EventsLost != 0 {
				t.Errorf("%d replies were deferred, %d not, %d forwarded, %d events lost", c.Deferred, c.Undeferred, c.Forwarded[reply], c.EventsLost)
			}
			want := room + flows
			if tt.then == flow.Assured {
				want++ // the change of state
			}
			if got := poll(); got != want {
				t.Errorf("%d events, want %d", got, want)
			}
		})
	}
}

// forwardedAs returns the tuple with which the first packet of a dnat flow to one backend is forwarded.
func forwardedAs(t *testing.T, s subject, original flow.Tuple) flow.Tuple {
	t.Helper()
	to := original
	to.Dst, to.DstPort = address(backendAddr), 8081
	return to
}

// TestChecksumIsCompleted: only if the sender left it to hardware.
func TestChecksumIsCompleted(t *testing.T) {
	for _, proto := range []flow.Proto{flow.TCP, flow.UDP} {
		whole := fromBackend(dnatReply(proto, 40000, 8081), syn|ack)[ethernetLen:]
		at := 20 + 16
		if proto == flow.UDP {
			at = 20 + 6
		}
		_, pseudo, _ := transport(whole)
		partial := slices.Clone(whole)
		binary.BigEndian.PutUint16(partial[at:], onesSum(pseudo, nil))
		if completeChecksum(partial); !bytes.Equal(partial, whole) {
			t.Errorf("%s: completed\n%x, want\n%x", proto, partial, whole)
		}
		for name, change := range map[string]func([]byte){
			"right":   func([]byte) {},
			"corrupt": func(b []byte) { b[len(b)-1] ^= 1 },
			"a fragment": func(b []byte) {
				binary.BigEndian.PutUint16(b[at:], onesSum(pseudo, nil))
				b[6] |= 0x20
			},
			"cut off": func(b []byte) { b[3] = 200 },
		} {
			want := slices.Clone(whole)
			change(want)
			got := slices.Clone(want)
			if completeChecksum(got); !bytes.Equal(got, want) {
				t.Errorf("%s, %s: changed to\n%x, was\n%x", proto, name, got, want)
			}
		}
	}
	none := fromBackend(dnatReply(flow.UDP, 40000, 8081), 0)[ethernetLen:]
	none[26], none[27] = 0, 0
	want := slices.Clone(none)
	if completeChecksum(none); !bytes.Equal(none, want) {
		t.Error("a UDP datagram without a checksum got one")
	}
	for n := range 60 { // of any length
		completeChecksum(slices.Clone(want[:min(n, len(want))]))
	}
	if got := withoutPadding(append(slices.Clone(want), 0, 0, 0)); !bytes.Equal(got, want) {
		t.Errorf("with its padding %x, want %x", got, want)
	}
}

// TestRepliesToNobodyLeaveRoomForOthers: the kernel keeps a packet to a host that does not answer ARP for
// seconds, and accounts it to the sending socket. A flood with spoofed sources must not block the replies to
// other clients.
func TestRepliesToNobodyLeaveRoomForOthers(t *testing.T) {
	s := newProgramSubject(t, deferringConfig())
	packet := withoutPadding(fromClient(toVIP(flow.TCP, 40000, dnatPort), syn|ack)[ethernetLen:])
	for i := range 12_000 {
		to := toVIP(flow.TCP, 40000, dnatPort)
		to.Src = flow.IPv4(198, 18, byte(64+i>>8), byte(i))
		if err := s.deferral.send(waitingReply{to, packet}); err != nil {
			t.Fatalf("reply %d: %v", i, err)
		}
	}
}
