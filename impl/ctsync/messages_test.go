package ctsync

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/impl/flow"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// samples returns one message of each type in a version of the protocol, with every field set.
func samples(version byte) map[string][]byte {
	from, to := term{0x0102030405060708, 9}, term{0x1112131415161718, 10}
	here := place{epoch: 10, round: 3}
	row := changeOf(entryOf(5, flow.Established, 11))
	gone := change{original: entryOf(6, 0, 0).Original}
	all := map[string][]byte{
		"hello": (&hello{
			incarnation: 0x2122232425262728, nonce: 4, want: to, have: position{from, 77}, applied: 70,
			window: 8192, batches: 32, buckets: 1024, check: 0xc0ffee, capacity: 131072,
		}).encode(version),
		"begin resumption": (&begin{term: to, nonce: 4, round: 3, from: position{from, 77}, head: 5, total: 1000, capacity: 500}).encode(version),
		"begin snapshot":   (&begin{term: to, nonce: 4, round: 3, snapshot: true, seq: 4, head: 5, total: 1000, capacity: 500}).encode(version),
		"delta":            appendChanges((&delta{place: here, first: 7, head: 9, count: 2}).encode(version), []change{row, gone}),
		"rows of a snapshot": appendChanges((&rows{place: here, index: 2, seq: 9, bucket: noBucket, count: 1}).encode(version),
			[]change{row}),
		"rows of a bucket": appendChanges((&rows{place: here, index: 2, seq: 9, bucket: 17, first: true, last: true, count: 1}).encode(version),
			[]change{row}),
		"mark":    (&mark{place: here, seq: 9, rows: 2, entries: 1000, sum: 0xfeedfacecafebeef}).encode(version),
		"ack":     (&ack{place: here, seq: 9, rows: 2, inSync: true}).encode(version),
		"need":    (&need{here}).encode(version),
		"buckets": encodeBuckets(version, here, 9, []bucket{{digests: digests{all: digest{sum: 1}}}, {digests: digests{all: digest{sum: 2}}}}),
		"repair":  (&repair{here, []uint16{1, 17}}).encode(version),
	}
	if version >= versionIPv6 {
		row, gone := changeOf(mixedOf(6, flow.Established, 11)), change{original: mixedOf(9, 0, 0).Original}
		all["delta of IPv6"] = appendChanges((&delta{place: here, first: 7, head: 9, count: 2}).encode(version), []change{row, gone})
		all["rows of IPv6"] = appendChanges((&rows{place: here, index: 2, seq: 9, bucket: noBucket, count: 1}).encode(version), []change{row})
	}
	if version >= versionSCTP {
		row := changeOf(mixedOf(10, flow.Established, 11))
		all["rows of SCTP"] = appendChanges((&rows{place: here, index: 2, seq: 9, bucket: noBucket, count: 1}).encode(version), []change{row})
	}
	if version >= versionAcross {
		row, row6 := changeOf(mixedOf(7, flow.Established, 11)), changeOf(mixedOf(21, flow.Established, 11))
		all["delta across families"] = appendChanges((&delta{place: here, first: 7, head: 9, count: 2}).encode(version), []change{row, row6})
	}
	if version >= versionOffer {
		all["offer"] = appendChanges((&offer{place: here, index: 2, count: 1}).encode(version), []change{row})
		all["worked"] = (&worked{place: here, index: 2}).encode(version)
	}
	return all
}

// recode decodes a message of a version and encodes it again.
func recode(version byte, msg []byte) ([]byte, error) {
	kind, r, err := open(msg, version)
	if err != nil {
		return nil, err
	}
	switch kind {
	case typeHello:
		var m hello
		return result(m.decode(&r), func() []byte { return m.encode(version) })
	case typeBegin:
		var m begin
		return result(m.decode(&r), func() []byte { return m.encode(version) })
	case typeDelta:
		var m delta
		list, err := m.decode(&r, nil)
		return result(err, func() []byte { return appendChanges(m.encode(version), list) })
	case typeRows:
		var m rows
		list, err := m.decode(&r, nil)
		return result(err, func() []byte { return appendChanges(m.encode(version), list) })
	case typeMark:
		var m mark
		return result(m.decode(&r), func() []byte { return m.encode(version) })
	case typeAck:
		var m ack
		return result(m.decode(&r), func() []byte { return m.encode(version) })
	case typeNeed:
		var m need
		return result(m.decode(&r), func() []byte { return m.encode(version) })
	case typeBuckets:
		var m buckets
		err := m.decode(&r)
		list := make([]bucket, len(m.sums))
		for i, sum := range m.sums {
			list[i].all.sum = sum
		}
		return result(err, func() []byte { return encodeBuckets(version, m.place, m.seq, list) })
	case typeRepair:
		var m repair
		return result(m.decode(&r), func() []byte { return m.encode(version) })
	case typeOffer:
		var m offer
		list, err := m.decode(&r, nil)
		return result(err, func() []byte { return appendChanges(m.encode(version), list) })
	case typeWorked:
		var m worked
		return result(m.decode(&r), func() []byte { return m.encode(version) })
	}
	return nil, fmt.Errorf("type %d has a name and no decoder here", kind)
}

func result(err error, encode func() []byte) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return encode(), nil
}

// versions lists the tested versions.
var versions = []byte{1, 2, 3, 4, 5, 6, 7}

// The wire format of a released protocol version does not change: messages of a node of an
// earlier version are still read correctly.
func TestWireFormat(t *testing.T) {
	for _, version := range versions {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			var got strings.Builder
			all := samples(version)
			names := []string{
				"hello", "begin resumption", "begin snapshot", "delta", "rows of a snapshot", "rows of a bucket",
				"mark", "ack", "need", "buckets", "repair",
			}
			if version >= versionIPv6 {
				names = append(names, "delta of IPv6", "rows of IPv6")
			}
			if version >= versionOffer {
				names = append(names, "offer", "worked")
			}
			if version >= versionSCTP {
				names = append(names, "rows of SCTP")
			}
			if version >= versionAcross {
				names = append(names, "delta across families")
			}
			for _, name := range names {
				fmt.Fprintf(&got, "%s\n%s\n", name, hex.Dump(all[name]))
			}
			golden := filepath.Join("testdata", fmt.Sprintf("wire-v%d.golden", version))
			if *update && version == Version {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("the format differs from %s; if that is meant, raise Version and run with -update\n%s", golden, got.String())
			}
		})
	}
}

// Reading a written message gives the same message. A truncated or extended message, or one of another
// version, is refused.
func TestMessagesReadBack(t *testing.T) {
	for _, version := range versions {
		for name, msg := range samples(version) {
			again, err := recode(version, msg)
			if err != nil || !bytes.Equal(again, msg) {
				t.Errorf("%s: %v\n%x\n%x", name, err, msg, again)
			}
			for n := range msg {
				if _, err := recode(version, msg[:n]); err == nil {
					t.Errorf("%s cut to %d of %d bytes is accepted", name, n, len(msg))
				}
			}
			if _, err := recode(version, append(msg[:len(msg):len(msg)], 0)); err == nil {
				t.Errorf("%s with a byte too many is accepted", name)
			}
			for _, other := range append(versions[:len(versions):len(versions)], 0, Version+1) {
				if other == version {
					continue
				}
				want := fmt.Sprintf("protocol version %d on a stream of version %d", version, other)
				if _, err := recode(other, msg); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s on a stream of version %d: %v", name, other, err)
				}
			}
		}
	}
}

// No message that the configuration allows is longer than MaxMessage.
func TestMaxMessage(t *testing.T) {
	for name, size := range map[string]int{
		"delta": deltaLen + batchLimit*rowLen6, "rows": rowsLen + batchLimit*rowLen6,
		"offer":   offerLen + batchLimit*rowLen6,
		"buckets": bucketsLen + maxBuckets*8, "repair": repairLen + maxBuckets*2,
	} {
		if size+2 > MaxMessage {
			t.Errorf("%s may have %d bytes", name, size+2)
		}
	}
}

// Every message that can be decoded encodes back to the same bytes: an encoding is
// unique and has no unused parts.
func FuzzDecode(f *testing.F) {
	for _, version := range versions {
		for _, msg := range samples(version) {
			f.Add(msg)
		}
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		if len(msg) < 2 {
			return
		}
		again, err := recode(min(msg[1], Version), msg)
		if err == nil && !bytes.Equal(again, msg) {
			t.Errorf("%x reads as %x", msg, again)
		}
	})
}

// Hostile bytes cause an error that changes nothing, or are a valid message. The
// engines survive both, and no refused or dropped message changes InSync.
func FuzzReceive(f *testing.F) {
	for _, msg := range samples(VersionMin) {
		f.Add(uint8(0), msg)
	}
	for phase := range phases * len(versions) {
		for _, source := range []bool{false, true} {
			p := inPhase(f, uint8(phase))
			for _, msg := range genuine(p, source) {
				f.Add(uint8(phase), msg)
			}
		}
	}
	f.Fuzz(func(t *testing.T, phase uint8, msg []byte) {
		p := inPhase(t, phase)
		for _, n := range []*node{p.a, p.b} {
			before, digest := snapshotOf(n.Engine), n.Digest()
			outdated := n.stats.Outdated
			err := n.Receive(p.now, msg)
			if (err != nil || n.stats.Outdated > outdated) && snapshotOf(n.Engine) != before {
				t.Fatalf("%s: refused (%v), but changed\nfrom %s\nto   %s", n.name, err, before, snapshotOf(n.Engine))
			}
			if n.Digest() != digest && (n == p.a || msg[0] != typeDelta && msg[0] != typeRows) {
				t.Fatalf("%s: the table was changed by %x", n.name, msg)
			}
			n.Ready()
			n.Advance(n.Deadline())
			n.Ready()
		}
	})
}

// phases is the number of situations of inPhase.
const phases = 5

// inPhase returns a pair with a as source, in one of the situations in which a message
// may arrive: idle, asked, in a snapshot, in sync, under repair; first of the oldest
// version, then of the newest.
func inPhase(t failer, phase uint8) *pair {
	p := newPair(t, small)
	p.version = versions[int(phase)/phases%len(versions)]
	p.master(p.a, 1)
	p.fill(p.a, 0, 40)
	p.a.poll(p.now)
	p.collect()
	steps := 0
	switch phase % phases {
	case 0:
		return p
	case 1:
		steps = 1
	case 2:
		steps = 5
	default:
		steps = 100
	}
	p.connect()
	for range steps {
		p.collect()
		p.deliver(p.a)
		p.deliver(p.b)
		p.b.apply(p.now)
	}
	if phase%phases == 4 {
		p.b.change(entryOf(3, 0, 0), true)
		p.b.poll(p.now)
		p.collect()
		p.deliver(p.a)
		p.collect()
		p.deliver(p.b)
	}
	p.collect()
	return p
}

// genuine returns the messages that the nodes of a pair would exchange next.
func genuine(p *pair, source bool) (msgs [][]byte) {
	p.onSend = func(from *node, msg []byte) {
		if from.source == source {
			msgs = append(msgs, msg)
		}
	}
	wire := p.ab
	if !source {
		wire = p.ba
	}
	for _, msg := range wire {
		if msg[0] <= MaxType {
			msgs = append(msgs, msg)
		}
	}
	p.fill(p.a, 100, 103)
	p.run()
	return msgs[:min(len(msgs), 12)]
}

// A reply tuple across families is that of a direct flow: no packet has it, its source is of the other
// family and its destination of the client's. Any other is refused.
func TestAReplyAcrossFamiliesIsOfADirectFlow(t *testing.T) {
	good := mixedOf(7, flow.Established, 11)
	for name, edit := range map[string]func(*flow.Tuple){
		"good":                           func(*flow.Tuple) {},
		"of a flow that has replies":     func(r *flow.Tuple) { r.DstPort = 80 },
		"from the client's own family":   func(r *flow.Tuple) { r.Src = good.Original.Dst },
		"to an address of the backend's": func(r *flow.Tuple) { r.Dst = r.Src },
	} {
		c := changeOf(good)
		edit(&c.reply)
		b := flow.AppendTuple([]byte{byte(c.state) | across}, c.original)
		r := reader{rest: order.AppendUint32(flow.AppendTuple6(b, c.reply), c.remaining), version: Version}
		var got change
		if r.change(&got, true); (r.err == nil) != (name == "good") {
			t.Errorf("%s: %s replies by %s: %v", name, c.original, c.reply, r.err)
		}
	}
}
