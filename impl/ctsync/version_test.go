package ctsync

import (
	"fmt"
	"strings"
	"testing"

	"baton/impl/flow"
)

// Two nodes get in sync, hand over and resume in each version of the protocol, as they
// do in a rolling upgrade; every frame is of the version that was agreed on.
func TestEachVersionGetsInSync(t *testing.T) {
	for _, version := range versions {
		p := newPairOf(t, small, version)
		p.onSend = func(from *node, msg []byte) {
			if msg[1] != version {
				t.Fatalf("%s sends %s of version %d on a stream of version %d", from.name, typeNames[msg[0]], msg[1], version)
			}
		}
		p.master(p.a, 1)
		p.fill(p.a, 0, 50)
		p.connect()
		p.run()
		p.synced(p.a)
		p.b.change(entryOf(3, 0, 0), true) // a stray, so that buckets are repaired
		p.run()
		p.synced(p.a)
		p.master(p.b, 2)
		p.run()
		p.synced(p.b)
	}
}

// A pair that was upgraded or rolled back between two streams resumes.
func TestVersionChangesBetweenStreams(t *testing.T) {
	for i, first := range versions {
		p := newPairOf(t, small, first)
		p.master(p.a, 1)
		p.fill(p.a, 0, 50)
		p.connect()
		p.run()
		p.synced(p.a)
		p.cut()
		p.version = versions[len(versions)-1-i]
		p.fill(p.a, 50, 55)
		p.connect()
		p.run()
		p.synced(p.a)
		if p.a.stats.Snapshots != 1 || p.a.stats.Resumes != 1 {
			t.Errorf("from version %d: %+v, want the second stream to resume", first, p.a.stats)
		}
	}
}

// An unsupported version is refused by name and changes nothing.
func TestUnknownVersionIsRefused(t *testing.T) {
	for _, version := range []uint8{VersionMin - 1, Version + 1, 255} {
		p := inSyncPair(t, small, 5)
		p.cut()
		before := snapshotOf(p.b.Engine)
		err := p.b.Connected(p.now, version, 0xa1, true, 1)
		if err == nil || !strings.Contains(err.Error(), "this node speaks 1 to 8") {
			t.Errorf("version %d: %v", version, err)
		}
		if snapshotOf(p.b.Engine) != before {
			t.Errorf("version %d was refused and changed the engine", version)
		}
	}
}

// A peer of an earlier version gets the flows that it can carry, and stays in sync with them
// through changes, resumption and repair. The source says what it withholds.
func TestEarlierVersionGetsWhatItCanCarry(t *testing.T) {
	for version, withheld := range map[byte]string{
		versionIPv6 - 1:   "version 2 of the protocol and gets no IPv6 and SCTP and cross-family flows",
		versionSCTP - 1:   "version 5 of the protocol and gets no SCTP and cross-family flows",
		versionAcross - 1: "version 6 of the protocol and gets no cross-family flows",
	} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) { getsWhatItCanCarry(t, version, withheld) })
	}
}

func getsWhatItCanCarry(t *testing.T, version byte, withheld string) {
	p := newPairOf(t, small, version)
	p.master(p.a, 1)
	for i := range 60 {
		p.a.change(mixedOf(i, flow.Established, 11), false)
	}
	p.connect()
	p.run()
	holds := func(of func(int) bool) {
		t.Helper()
		p.synced(p.a)
		for i := range 90 {
			e := mixedOf(i, 0, 0)
			carried := (i%3 != 0 || version >= versionIPv6) && (i%5 != 0 || version >= versionSCTP) && (i%7 != 0 || version >= versionAcross)
			if _, held := p.b.flows[e.Original]; held != (carried && of(i)) {
				t.Errorf("flow %d, %s, at the peer: %v", i, e.Original, held)
			}
		}
	}
	holds(func(i int) bool { return i < 60 })
	if w := p.a.Warning(); !strings.Contains(w, withheld) {
		t.Errorf("the source warns %q", w)
	}
	if w := p.b.Warning(); w != "" {
		t.Errorf("the sink warns %q", w)
	}
	for i := range 20 {
		p.a.change(mixedOf(i, 0, 0), true)
	}
	p.run()
	p.cut()
	for i := 60; i < 90; i++ {
		p.a.change(mixedOf(i, flow.Established, 11), false)
	}
	p.a.poll(p.now)
	p.connect()
	p.run()
	p.b.change(entryOf(26, flow.FinWait, 12), false) // a stray, so that buckets are repaired
	p.run()
	holds(func(i int) bool { return i >= 20 })
	if p.a.stats.Snapshots != 1 || p.a.stats.Repairs == 0 {
		t.Errorf("%+v, want one snapshot and a repair", p.a.stats)
	}

	p.cut() // the peer is upgraded
	p.version = Version
	p.connect()
	p.run()
	p.sleep(2 * small.withDefaults().DigestEvery)
	p.synced(p.a)
	p.same()
	if w := p.a.Warning(); w != "" {
		t.Errorf("the source still warns %q", w)
	}
}

// A flow that begins to go across families is deleted at a peer whose version cannot carry it.
func TestAFlowThatGoesAcrossFamiliesIsDeletedAtAnEarlierPeer(t *testing.T) {
	p := newPairOf(t, small, versionAcross-1)
	p.master(p.a, 1)
	p.connect()
	before, after := mixedOf(22, flow.Established, 11), mixedOf(22, flow.SynSent, 12)
	p.a.change(before, false)
	p.run()
	p.synced(p.a)
	if _, held := p.b.flows[before.Original]; !held {
		t.Fatalf("%s is not at the peer", before.Original)
	}
	p.a.change(after, false)
	p.run()
	p.synced(p.a)
	p.same()
	if e, held := p.b.flows[before.Original]; held || p.a.stats.Repairs > 0 {
		t.Errorf("the peer holds %v, after %d repairs", e, p.a.stats.Repairs)
	}
}

// Both nodes learn at connect that one table is smaller than the other. A node of
// version 1 does not report its capacity, so there is no warning.
func TestCapacityIsToldAtConnect(t *testing.T) {
	for _, test := range []struct {
		version        uint8
		a, b           int
		source, sink   string
		toSource, toMe int
	}{
		{Version, 1000, 500, "the peer's table holds 500 flows, this node's 1000", "this node's table holds 500 flows, the peer's 1000", 500, 1000},
		{Version, 500, 1000, "this node's table holds 500 flows, the peer's 1000", "the peer's table holds 500 flows, this node's 1000", 1000, 500},
		{Version, 500, 500, "", "", 500, 500},
		{Version, 500, 0, "", "", 0, 500},
		{VersionMin, 1000, 500, "", "", 0, 0},
	} {
		p := newPairOf(t, small, test.version)
		p.a.cfg.Capacity, p.b.cfg.Capacity = test.a, test.b
		p.master(p.a, 1)
		p.connect()
		p.run()
		p.synced(p.a)
		for _, side := range []struct {
			n    *node
			want string
			peer int
		}{{p.a, test.source, test.toSource}, {p.b, test.sink, test.toMe}} {
			got := side.n.Progress()
			if !strings.HasPrefix(got.Warning, side.want) || side.want == "" && got.Warning != "" || got.PeerCapacity != side.peer {
				t.Errorf("%+v: %s warns %q, knows %d", test, side.n.name, got.Warning, got.PeerCapacity)
			}
		}
	}
}
