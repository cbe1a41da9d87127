package node

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
)

// heardPath returns a path on which the peer has sent packets.
func heardPath(t *testing.T, came clock.Instant, s *stream, packets ...bfd.Packet) path {
	t.Helper()
	session, err := bfd.New(bfd.Config{LocalDiscr: 1, DesiredMinTxInterval: time.Millisecond, RequiredMinRxInterval: time.Millisecond, DetectMult: 255}, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := path{session: session, said: neverSaid}
	for _, packet := range packets {
		packet.DetectMult, packet.MyDiscr, packet.DesiredMinTxInterval, packet.RequiredMinRxInterval = 255, 2, time.Millisecond, time.Millisecond
		if packet.State != bfd.Down {
			packet.YourDiscr = 1
		}
		p.receive(came, Packet{Data: packet.AppendTo(nil), TTL: 255})
		p.learn(s)
	}
	return p
}

// Since version 8 peers doubt by diagnostic. The last Poll of a former MASTER counts as a doubt only
// from an earlier version.
func TestSinceWhichVersionAPollIsNoDoubt(t *testing.T) {
	for version, doubts := range map[uint8]bool{7: true, 8: false} {
		for _, said := range []condition{standby, serving} {
			s := stream{up: true, version: version}
			p := heardPath(t, 1, &s, bfd.Packet{State: bfd.Down}, bfd.Packet{State: bfd.Up, Diag: diagOf[said], Poll: true})
			if got, _ := (paths{p}).doubted(); got != doubts {
				t.Errorf("version %d, which says %d: doubts %v, want %v", version, said, got, doubts)
			}
		}
	}
}

// A path that is not Up can show that the peer doubts, but not that it hears this node.
func TestAPathThatIsNotUpShowsOnlyDoubt(t *testing.T) {
	s := stream{up: true, version: versionDoubts}
	up := func(came clock.Instant, diag bfd.Diag) path {
		return heardPath(t, came, &s, bfd.Packet{State: bfd.Down}, bfd.Packet{State: bfd.Up, Diag: diag})
	}
	down := func(came clock.Instant, diag bfd.Diag) path {
		return heardPath(t, came, &s, bfd.Packet{State: bfd.Down, Diag: diag})
	}
	hears := diagOf[standby]
	for name, test := range map[string]struct {
		paths   paths
		doubted bool
		came    clock.Instant
	}{
		"nothing is heard":               {paths{heardPath(t, 1, &s)}, false, -1},
		"hears, on a path that is down":  {paths{down(1, hears)}, false, -1},
		"doubts, on a path that is down": {paths{down(1, diagDoubt)}, true, 1},
		"a doubt, later a path down":     {paths{up(1, diagDoubt), down(2, hears)}, true, 1},
		"a path down, later a doubt":     {paths{down(1, hears), up(2, diagDoubt)}, true, 2},
		"a doubt, later none":            {paths{up(1, diagDoubt), up(2, hears)}, false, 2},
		"none, later a doubt":            {paths{up(1, hears), down(2, diagDoubt)}, true, 2},
		"a doubt, before it none":        {paths{up(2, diagDoubt), up(1, hears)}, true, 2},
	} {
		if doubted, came := test.paths.doubted(); doubted != test.doubted || came != test.came {
			t.Errorf("%s: doubted %v at %d", name, doubted, came)
		}
	}
}

// TestADoubtFromBeforeTheNextPacketIsMissedIsNone: a peer that has handed over may have polled until then.
func TestADoubtFromBeforeTheNextPacketIsMissedIsNone(t *testing.T) {
	const proven = clock.Instant(time.Second)
	s := stream{up: true, version: versionDoubts}
	for after, counts := range map[time.Duration]bool{0: false, time.Millisecond: false, time.Millisecond + 1: true} {
		came := proven.Add(after)
		p := heardPath(t, came, &s, bfd.Packet{State: bfd.Down}, bfd.Packet{State: bfd.Up, Diag: diagDoubt})
		p.proven, p.BFD.DetectMult = proven, 255
		want := clock.Instant(0)
		if counts {
			want = came
		}
		if got := (paths{p}).proof().doubted; got != want {
			t.Errorf("%v after the last proof, of packets a millisecond apart: doubted at %v, want %v", after, got, want)
		}
	}
}
