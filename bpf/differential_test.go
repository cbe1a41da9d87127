package bpf

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// pair is the programs and their model on the same way.
type pair struct {
	t               *rapid.T
	model, programs subject
	now             clock.Instant
	talk            conversation
	reached         reach
	deferred        [2][]uint64 // replies that the model and the programs hold back
}

// TestProgramsFollowTheModel puts random packets and table operations through the
// programs and through the model. Fate, frame, table, claims, events and counters
// must agree after every step. Ports and capacity are few, so that the flows meet.
// What the sequences must have reached between them is said in reach_test.go.
func TestProgramsFollowTheModel(t *testing.T) {
	programsFollowTheModel(t, testConfig(), nil)
}

// TestProgramsFollowTheModelOverIPv6 does the same over IPv6.
func TestProgramsFollowTheModelOverIPv6(t *testing.T) {
	overIPv6(t)
	programsFollowTheModel(t, testConfig(), []string{"client0 drop checksum"})
}

// Over XDP, the two programs of a link follow the model between them.
func TestProgramsFollowTheModelOverXDP(t *testing.T) {
	overXDP(t)
	programsFollowTheModel(t, testConfig(), nil)
}

func TestProgramsFollowTheModelOverXDPAndIPv6(t *testing.T) {
	overXDP(t)
	overIPv6(t)
	programsFollowTheModel(t, testConfig(), []string{"client0 drop checksum"})
}

// With the backends of mode dsr-ipip in the other family, too.
func TestProgramsFollowTheModelAcrossFamilies(t *testing.T) {
	overXDP(t)
	acrossFamilies(t)
	t.Run("IPv4 in IPv6", func(t *testing.T) { programsFollowTheModel(t, testConfig(), nil) })
	t.Run("IPv6 in IPv4", func(t *testing.T) {
		overIPv6(t)
		programsFollowTheModel(t, testConfig(), []string{"client0 drop checksum"})
	})
}

func programsFollowTheModel(t *testing.T, cfg dataplane.Config, unknown []string) {
	reached := reach{}
	programs := newProgramSubject(t, cfg)
	specification := newModelSubject(t, cfg)
	draw := func() {
		rapid.Check(t, func(t *rapid.T) { followTheModel(t, programs, specification, reached) })
	}
	if cfg.Defer {
		draw()
		reached.checkDeferred(t) // the rest is the other tests'
		return
	}
	reached.until(t, unknown, draw)
	if inHook == dataplane.HookXDP {
		reached.checkFast(t)
	}
	if programs.direct == 0 {
		t.Error("the programs never addressed a packet to its neighbour themselves")
	}
}

// followTheModel does the same to both, in any order, and compares all that can be seen of them.
func followTheModel(t *rapid.T, programs *programSubject, specification subject, reached reach) {
	programs.reset()
	specification.reset()
	p := &pair{t: t, model: specification, programs: programs, now: origin, talk: conversation{}, reached: reached}
	p.both("lease", func(s subject) error { return s.Lease(clock.Never) })
	t.Repeat(map[string]func(*rapid.T){
		"":          p.compare,
		"client":    p.clientPacket,
		"handshake": p.handshake,
		"associate": p.associate,
		"backend":   p.backendPacket,
		"reply":     p.replyPacket,
		"arp":       p.arp,
		"time":      p.passTime,
		"lease":     p.lease,
		"miss":      p.miss,
		"apply":     p.apply,
		"delete":    p.delete,
		"sweep":     p.sweep,
		"services":  p.services,
		"close":     p.closing,
		"idle":      p.idle,
		"fragment":  p.fragment,
		"flood":     p.flood,
		"challenge": p.challenge,
		"adopt":     p.adopt,
		"protocol":  p.protocol,
		"error":     p.icmpErrors,
		"echo":      p.echo,
		"header":    p.headers,
		"size":      p.size,
		"relay":     p.relay,
		"deferred":  p.endReplies,
		"range":     p.ranges,
		"tunnel":    p.tunnelErrors,
		"journeys":  p.journeys,
	})
}

// both does something to both, which must both accept or both refuse it.
func (p *pair) both(what string, f func(subject) error) {
	a, b := f(p.model), f(p.programs)
	if (a == nil) != (b == nil) {
		p.t.Fatalf("%s: model %v, programs %v", what, a, b)
	}
}

func (p *pair) send(link string, frame []byte) {
	wantFate, want := fate(p.t, p.model, link, frame)
	gotFate, got := fate(p.t, p.programs, link, frame)
	p.t.Logf("%x on %s: %s", frame, link, wantFate)
	p.reached.fate(wantFate, link)
	if gotFate != wantFate {
		p.t.Fatalf("model %s, programs %s", wantFate, gotFate)
	}
	if !bytes.Equal(got, want) {
		p.t.Fatalf("model    %x\nprograms %x", want, got)
	}
}

func (p *pair) compare(*rapid.T) {
	p.reached.entries(p.t, p.model)
	if diff := cmp.Diff(table(p.t, p.model), table(p.t, p.programs)); diff != "" {
		p.t.Fatalf("tables differ (-model +programs):\n%s", diff)
	}
	if diff := cmp.Diff(p.events(0), p.events(1)); diff != "" {
		p.t.Fatalf("events differ (-model +programs):\n%s", diff)
	}
	p.compareDeferred()
	if diff := cmp.Diff(counters(p.t, p.model), counters(p.t, p.programs)); diff != "" {
		p.t.Fatalf("counters differ (-model +programs):\n%s", diff)
	}
	p.reached.fast(p.programs.(*programSubject).fast)
	if diff := cmp.Diff(refused(p.t, p.model), refused(p.t, p.programs)); diff != "" {
		p.t.Fatalf("refused flows differ (-model +programs):\n%s", diff)
	}
	checkClaims(p.t, p.model)
	checkClaims(p.t, p.programs)
}

// originals draws an original tuple of a small world.
var originals = rapid.Custom(func(t *rapid.T) flow.Tuple {
	dst := rapid.SampledFrom([]string{vipAddr, vipAddr, vipAddr, vipAddr, unknownVIP, snatAddr, "198.18.0.1"}).Draw(t, "dst")
	return tuple(
		rapid.SampledFrom([]flow.Proto{flow.TCP, flow.TCP, flow.TCP, flow.TCP, flow.UDP, flow.UDP, flow.SCTP}).Draw(t, "proto"), // see associate
		rapid.SampledFrom([]string{clientAddr, otherClient}).Draw(t, "client"),
		rapid.SampledFrom([]uint16{40000, 40001, 40002, 40000, 40001, 40002, 0}).Draw(t, "sport"), dst,
		rapid.SampledFrom([]uint16{fullnatPort, dnatPort, maglevPort, affinePort, leastPort, poolPort, limitPort, limitPort, challengePort, challengePort, directPort, directPort, directMaglev, tunnelPort, tunnelPort, tunnelMaglev, resumedPort, emptyPort, unknownPort}).Draw(t, "dport"))
})

// replyTuples draws a packet of a backend, whether or not a flow expects it.
var replyTuples = rapid.Custom(func(t *rapid.T) flow.Tuple {
	r := tuple(
		rapid.SampledFrom([]flow.Proto{flow.TCP, flow.TCP, flow.UDP, flow.UDP, flow.SCTP}).Draw(t, "proto"),
		rapid.SampledFrom([]string{backendAddr, secondBackend}).Draw(t, "backend"),
		rapid.Uint16Range(8079, 8085).Draw(t, "sport"),
		rapid.SampledFrom([]string{snatAddr, poolAddr, clientAddr, otherClient, vipAddr, "198.18.1.1"}).Draw(t, "dst"),
		rapid.Uint16Range(40000, 40002).Draw(t, "dport"))
	if r.Dst == address(snatAddr) || r.Dst == address(poolAddr) {
		r.DstPort = rapid.Uint16Range(19999, 20008).Draw(t, "snat port")
	}
	return r
})

var tcpFlags = rapid.SampledFrom([]int{syn, syn, syn | ack, ack, ack | psh, fin | ack, fin | ack, rst, rst | ack, syn | fin, syn | rst, 0})

// numbered gives a segment the numbers that its sender would, or others.
func (p *pair) numbered(t *rapid.T, link string, frame []byte) []byte {
	at := partsOf(frame)
	if at.proto != byte(flow.TCP) {
		return frame
	}
	switch rapid.IntRange(0, 15).Draw(t, "numbers") {
	case 0:
		return withNumbers(frame, rapid.Uint32().Draw(t, "seq"), rapid.Uint32().Draw(t, "ack"))
	case 1:
		frame = p.talk.number(t, p.model, link, frame)
		seq, acked := binary.BigEndian.Uint32(frame[at.l4+4:]), binary.BigEndian.Uint32(frame[at.l4+8:])
		near := rapid.Uint32Range(0, 64)
		return withNumbers(frame, seq-32+near.Draw(t, "seq"), acked-32+near.Draw(t, "ack"))
	}
	return p.talk.number(t, p.model, link, frame)
}

// damage now and then changes a byte, the IP header, or the length of a frame.
func damage(t *rapid.T, frame []byte) []byte {
	switch rapid.IntRange(0, 9).Draw(t, "damage") {
	case 0:
		at := rapid.IntRange(14, len(frame)-1).Draw(t, "at")
		to := rapid.Byte().Draw(t, "to")
		return edited(frame, func(f []byte) []byte { f[at] = to; return f })
	case 1:
		// Shorter frames than an IP header are refused by BPF_PROG_RUN itself.
		return slices.Clone(frame[:rapid.IntRange(min(partsOf(frame).l4, 54), len(frame)).Draw(t, "length")])
	case 2:
		at := rapid.IntRange(0, 11).Draw(t, "at")
		return withIP(frame, at, rapid.Byte().Draw(t, "to"))
	case 3:
		at := rapid.IntRange(0, 5).Draw(t, "at")
		return edited(frame, func(f []byte) []byte { f[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit"); return f })
	}
	return frame
}

// summed gives a frame another payload, and with it another checksum; a datagram
// now and then has none (RFC 768), which must stay so.
func summed(t *rapid.T, to net.HardwareAddr, o flow.Tuple, flags int) []byte {
	frame := marked(t, frameTo(to, o, flags, payload+string(rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "more"))))
	if rapid.IntRange(0, 9).Draw(t, "partial") == 0 {
		return partial(frame)
	}
	if o.Proto == flow.UDP && rapid.IntRange(0, 3).Draw(t, "checksum") == 0 {
		l4 := partsOf(frame).l4
		frame[l4+6], frame[l4+7] = 0, 0
	}
	return frame
}

// partial gives a segment the checksum that its kernel leaves to the device: the sum of the
// pseudo-header, or 0 in SCTP.
func partial(frame []byte) []byte {
	at := partsOf(frame)
	if at.proto == byte(flow.SCTP) {
		clear(frame[at.l4+8 : at.l4+12])
		return frame
	}
	field := at.l4 + 16
	if at.proto == byte(flow.UDP) {
		field = at.l4 + 6
	}
	binary.BigEndian.PutUint16(frame[field:], sum(pseudoOf(frame, at.proto, len(frame)-at.l4)))
	return frame
}

func (p *pair) clientPacket(t *rapid.T) {
	frame := summed(t, clientMAC, originals.Draw(t, "original"), tcpFlags.Draw(t, "flags"))
	p.send("client0", damage(t, p.numbered(t, "client0", frame)))
}

func (p *pair) backendPacket(t *rapid.T) {
	frame := summed(t, backendMAC, replyTuples.Draw(t, "reply"), tcpFlags.Draw(t, "flags"))
	p.send("backend0", damage(t, p.numbered(t, "backend0", frame)))
}

// entry draws one of the entries, if there are any.
func (p *pair) entry(t *rapid.T) (flow.Entry, bool) {
	var all []flow.Entry
	if err := p.model.Dump(func(e flow.Entry) bool { all = append(all, e); return true }); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		return flow.Entry{}, false
	}
	return rapid.SampledFrom(all).Draw(t, "entry"), true
}

// replyPacket answers on a flow that exists, from either side.
func (p *pair) replyPacket(t *rapid.T) {
	e, ok := p.entry(t)
	if !ok {
		t.Skip("no entries")
	}
	flags := tcpFlags.Draw(t, "flags")
	link, frame := p.ofFlow(t, e, flags)
	p.send(link, damage(t, frame))
}

// ofFlow draws the side that a packet of a flow comes from.
func (p *pair) ofFlow(t *rapid.T, e flow.Entry, flags int) (link string, frame []byte) {
	if rapid.Bool().Draw(t, "of the backend") {
		return "backend0", p.numbered(t, "backend0", summed(t, backendMAC, e.Reply, flags))
	}
	return "client0", p.numbered(t, "client0", summed(t, clientMAC, e.Original, flags))
}

// closing ends a flow: by a FIN of either side first, or of one twice, or by a RST;
// then the same tuple may open again.
func (p *pair) closing(t *rapid.T) {
	e, ok := p.entry(t)
	if !ok {
		t.Skip("no entries")
	}
	for range rapid.IntRange(1, 3).Draw(t, "packets") {
		p.send(p.ofFlow(t, e, rapid.SampledFrom([]int{fin | ack, fin | ack, fin | ack, ack, rst | ack}).Draw(t, "flags")))
	}
	if rapid.Bool().Draw(t, "again") {
		p.send("client0", fromClient(e.Original, syn))
	}
}

// idle lets a flow come to the very edge of its lifetime, and then looks at it.
func (p *pair) idle(t *rapid.T) {
	e, ok := p.entry(t)
	if !ok {
		t.Skip("no entries")
	}
	p.now = p.now.Add(max(0, e.Remaining+time.Duration(rapid.Int64Range(-1, 1).Draw(t, "edge"))))
	p.both("advance", func(s subject) error { s.advance(p.now); return nil })
	if rapid.Bool().Draw(t, "renewed") {
		p.both("lease", func(s subject) error { return s.Lease(p.now.Add(time.Hour)) })
		p.send(p.ofFlow(t, e, ack))
	}
	p.sweep(t)
}

// fragment sends a flow's datagram in parts, most of them in order, some twice, cut
// elsewhere, or to another place.
func (p *pair) fragment(t *rapid.T) {
	e, ok := p.entry(t)
	if !ok {
		t.Skip("no entries")
	}
	link, mac, tuple := "client0", clientMAC, e.Original
	if rapid.Bool().Draw(t, "of the backend") {
		link, mac, tuple = "backend0", backendMAC, e.Reply
	}
	frame := p.numbered(t, link, frameTo(mac, tuple, ack, long))
	id := rapid.Uint16Range(7, 8).Draw(t, "id")
	parts := fragments(frame, id, 24, 48, 72)
	parts = append(parts, fragments(frame, id, 32)...)
	for i := range rapid.IntRange(1, 6).Draw(t, "parts") {
		if rapid.IntRange(0, 3).Draw(t, "out of order") == 0 {
			i = rapid.IntRange(0, len(parts)-1).Draw(t, "part")
		}
		part := parts[i]
		if rapid.IntRange(0, 7).Draw(t, "elsewhere") == 0 {
			part = elsewhere(part, rapid.SampledFrom([]byte{0x00, 0x20, 0x40, 0x80}).Draw(t, "flags"), rapid.SampledFrom([]byte{0, 0, 1, 0xff}).Draw(t, "offset"))
		}
		p.send(link, damage(t, part))
	}
	p.send(link, parts[1])
	p.send(link, parts[1])
}

// adopt meets a flow in its middle, where that is allowed: its first packet is an
// ACK or a FIN, and the backend goes on with it or says nothing.
func (p *pair) adopt(t *rapid.T) {
	o := originals.Draw(t, "original")
	if rapid.IntRange(0, 2).Draw(t, "resumed") == 0 {
		o.Dst, o.DstPort = address(vipAddr), resumedPort
	}
	p.adoptFlow(t, o)
}

func (p *pair) adoptFlow(t *rapid.T, o flow.Tuple) {
	if o.Proto == flow.UDP {
		o.Proto = flow.TCP
	}
	policy := rapid.SampledFrom([]dataplane.MissPolicy{dataplane.MissAdopt, dataplane.MissGuess}).Draw(t, "policy")
	p.both("miss", func(s subject) error { return s.SetMiss(policy) })
	frame := summed(t, clientMAC, o, rapid.SampledFrom([]int{ack, ack | psh, fin | ack}).Draw(t, "flags"))
	p.send("client0", p.numbered(t, "client0", frame))
	e, ok, _ := p.model.Lookup(o)
	switch {
	case ok && rapid.Bool().Draw(t, "reset"):
		p.send("backend0", fromBackend(e.Reply, rst))
	case ok && rapid.Bool().Draw(t, "answered"):
		p.send("backend0", p.talk.number(t, p.model, "backend0", fromBackend(e.Reply, ack)))
		then := rapid.SampledFrom([]int{ack, fin | ack, rst}).Draw(t, "then")
		p.send("client0", p.talk.number(t, p.model, "client0", fromClient(o, then)))
	}
	p.both("miss", func(s subject) error { return s.SetMiss(dataplane.MissDrop) })
	o.SrcPort += 100 // of no flow
	p.send("client0", fromClient(o, ack))
}

// flood opens more flows of one service than there are ports, entries or places
// for events.
func (p *pair) flood(t *rapid.T) {
	o := originals.Draw(t, "original")
	for i := range uint16(rapid.IntRange(5, 12).Draw(t, "flows")) {
		o.SrcPort = 41000 + i
		if o.DstPort == limitPort { // of two sources, which meet the service's limit together
			o.Src = address([]string{clientAddr, otherClient}[i%2])
		}
		p.send("client0", fromClient(o, syn))
	}
}

// handshake brings a TCP flow up, which random flags hardly do.
func (p *pair) handshake(t *rapid.T) { p.handshakeOf(t, originals.Draw(t, "original")) }

func (p *pair) handshakeOf(t *rapid.T, o flow.Tuple) {
	count := func(link string, frame []byte) { p.send(link, p.talk.number(t, p.model, link, frame)) }
	count("client0", fromClient(o, syn))
	if e, ok, _ := p.model.Lookup(o); ok {
		count("backend0", fromBackend(e.Reply, syn|ack))
		count("client0", fromClient(o, ack))
		count("client0", fromClient(o, rapid.SampledFrom([]int{ack, fin | ack, rst}).Draw(t, "then")))
	}
}

func (p *pair) arp(t *rapid.T) {
	if inIPv6 {
		p.ndp(t)
		return
	}
	addresses := rapid.SampledFrom([]string{vipAddr, vipAddr, vipAddr, snatAddr, snatAddr, snatAddr, unknownVIP, "198.18.0.1", "198.18.1.1", clientAddr})
	link := rapid.SampledFrom([]string{"client0", "backend0"}).Draw(t, "link")
	operation := rapid.Uint16Range(1, 2).Draw(t, "operation")
	p.send(link, damage(t, arpFrame(operation, addresses.Draw(t, "sender"), addresses.Draw(t, "target"))))
	p.send("client0", arpFrame(1, clientAddr, vipAddr))
	p.send("backend0", arpFrame(1, backendAddr, snatAddr))
}

// protocol sends packets of protocols that are not balanced.
func (p *pair) protocol(t *rapid.T) {
	number := rapid.SampledFrom([]byte{1, 2, 47, 136, 58, 50, 59}).Draw(t, "number")
	p.send("client0", withProto(fromClient(originals.Draw(t, "original"), ack), number))
	p.send("backend0", withProto(fromBackend(replyTuples.Draw(t, "reply"), ack), number))
}

func (p *pair) passTime(t *rapid.T) {
	p.now = p.now.Add(time.Duration(rapid.Int64Range(0, int64(40*time.Second)).Draw(t, "passed")))
	p.both("advance", func(s subject) error { s.advance(p.now); return nil })
}

func (p *pair) lease(t *rapid.T) {
	const hour = int64(time.Hour)
	until := p.now.Add(time.Duration(rapid.SampledFrom([]int64{-1, 0, 1, hour, hour, hour, hour, hour, hour, hour}).Draw(t, "for")))
	p.both("lease", func(s subject) error { return s.Lease(until) })
}

func (p *pair) miss(t *rapid.T) {
	policy := rapid.SampledFrom([]dataplane.MissPolicy{dataplane.MissDrop, dataplane.MissAdopt, dataplane.MissGuess}).Draw(t, "policy")
	p.both("miss", func(s subject) error { return s.SetMiss(policy) })
}

func (p *pair) apply(t *rapid.T) {
	entries := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) flow.Entry {
		e := flow.Entry{
			Original: originals.Draw(t, "original"), Reply: replyTuples.Draw(t, "reply"),
			State:     flow.State(rapid.IntRange(int(flow.SynSent), int(flow.Assured)).Draw(t, "state")),
			Origin:    flow.Synced,
			Remaining: time.Duration(rapid.Int64Range(-1, int64(3*time.Hour)).Draw(t, "remaining")),
		}
		if rapid.IntRange(0, 19).Draw(t, "consistent") > 0 { // else it must be refused
			e.Reply.Proto = e.Original.Proto
			if e.Original.Proto == flow.UDP {
				e.State = flow.Unreplied + e.State%2
			} else {
				e.State = flow.SynSent + e.State%4
			}
			if !e.Original.IsAffinity() && rapid.IntRange(0, 3).Draw(t, "direct") == 0 {
				e.Reply = flow.DirectReply(e.Original, e.Reply.Src)
			}
			if e.Original.IsAffinity() {
				e.State = flow.AffinityOf(e.Original, e.Reply.Src, e.Reply.SrcPort).State
				e.Reply.DstPort = 0
			}
		}
		return e
	}), 0, 4).Draw(t, "entries")
	if rapid.Bool().Draw(t, "merge") {
		tuples := p.someTuples(t)
		p.both("merge", func(s subject) error { return s.Merge(entries, tuples) })
		return
	}
	p.both("apply", func(s subject) error { return s.Apply(entries) })
}

// someTuples draws the tuples to delete, usually including one in the table.
func (p *pair) someTuples(t *rapid.T) []flow.Tuple {
	tuples := rapid.SliceOfN(originals, 0, 3).Draw(t, "tuples")
	if e, ok := p.entry(t); ok {
		tuples = append(tuples, e.Original)
	}
	return tuples
}

func (p *pair) delete(t *rapid.T) {
	tuples := p.someTuples(t)
	p.both("delete", func(s subject) error { return s.Delete(tuples) })
}

func (p *pair) sweep(t *rapid.T) {
	since := p.now.Add(-time.Duration(rapid.SampledFrom([]int64{0, int64(time.Minute), 3 * int64(time.Hour), 3 * int64(time.Hour)}).Draw(t, "since")))
	var swept [2][]string
	for i, s := range []subject{p.model, p.programs} {
		entries, err := s.Sweep(p.now, since)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			swept[i] = append(swept[i], entryLine(e))
		}
		slices.Sort(swept[i])
	}
	if len(swept[0]) > 0 {
		p.reached["swept"]++
	}
	if diff := cmp.Diff(swept[0], swept[1]); diff != "" {
		t.Fatalf("swept (-model +programs):\n%s", diff)
	}
	if diff := cmp.Diff(p.model.PortsUsed(), p.programs.PortsUsed()); diff != "" {
		t.Fatalf("SNAT ports in use (-model +programs):\n%s", diff)
	}
}

func (p *pair) services(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "often") > 0 {
		t.Skip("seldom: it waits for the kernel")
	}
	all := testConfig().Services
	some := slices.Clone(all[:rapid.IntRange(0, len(all)).Draw(t, "services")])
	fewer := rapid.Bool().Draw(t, "fewer backends")
	for i := range some {
		if fewer {
			some[i].Backends = some[i].Backends[:len(some[i].Backends)/2]
		}
		some[i].Limits = rapid.SampledFrom([]dataplane.Limits{some[i].Limits, {}, {SourceFlows: 1}, {Embryonic: 1}, {SYNChallenge: 1}}).Draw(t, "limits")
		if some[i].Mode.Direct() {
			some[i].Mode = rapid.SampledFrom([]dataplane.Mode{dataplane.DSRL2, dataplane.DSRIPIP}).Draw(t, "mode")
		}
		some[i].Refuse = rapid.Bool().Draw(t, "refuse")
		if rapid.Bool().Draw(t, "weighted") {
			some[i].Weights = rapid.SliceOfN(rapid.IntRange(1, 3), len(some[i].Backends), len(some[i].Backends)).Draw(t, "weights")
		}
	}
	vips := testConfig().VIPs
	answered := vips[:rapid.IntRange(0, len(vips)).Draw(t, "vips")]
	p.both("services", func(s subject) error { return s.SetServices(some, answered) })
}
