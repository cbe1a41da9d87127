package node_test

import (
	. "baton/impl/node"
	"math"
	"strings"
	"testing"
	"time"

	"baton/impl/ha"
)

// A stream that the kernel of a dead peer accepted says nothing and never ends.
func TestAMuteStreamIsGivenUp(t *testing.T) {
	l := newLab(t)
	l.boot("lb1")
	masterWithin(l, "lb1", BootListen+labDetect)
	lb1 := l.nodes["lb1"]
	lb1.stream = 99
	l.step(lb1, Stream{ID: 99, Up: true})
	l.run(MuteLimit + 10*time.Millisecond)
	if lb1.stream == 99 {
		t.Error("still on the mute stream")
	}
}

func TestPartitionHealsToOneMaster(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	for _, key := range []string{"lb1 clients", "lb1 sync", "lb2 clients", "lb2 sync"} {
		l.dropBFD[key] = true
	}
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.run(2 * time.Second)
	l.wantRoles("Master", "Master")
	clear(l.dropSync)
	delete(l.dropBFD, "lb1 sync")
	delete(l.dropBFD, "lb2 sync")
	since := len(l.log)
	l.until(2*time.Second, "lb1 gives up the role", func() bool { return l.role("lb1") == "Backup" })
	l.run(Burst[len(Burst)-1])
	if announced := l.announcements("lb2", since); announced < len(Burst) {
		t.Errorf("the winner announced %d times after the heal, want a burst of %d: hosts may send to the loser", announced, len(Burst))
	}
	l.run(2 * time.Second)
	l.wantRoles("Backup", "Master") // the tables are of equal worth; lb2 has claimed later
	clear(l.dropBFD)
	l.until(time.Second, "lb1 in sync", func() bool { return l.inSync("lb1") })
}

// A partition heals on the stream first, since sessions that are Down send once a second. The
// losing node must not consider the MASTER silent and claim again: a MASTER that speaks on the
// stream is alive even if BFD does not hear it. It is silent once it stops speaking there too.
func TestAMasterThatTheStreamTellsOfIsNotSilent(t *testing.T) {
	l := newPair(t, func(c *Config) { c.Hold = 50 * time.Millisecond })
	l.run(time.Second)
	for _, key := range []string{"lb1 clients", "lb1 sync", "lb2 clients", "lb2 sync"} {
		l.dropBFD[key] = true
	}
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.run(2 * time.Second)
	l.wantRoles("Master", "Master")
	clear(l.dropSync)
	l.until(time.Second, "lb1 gives up the role", func() bool { return l.role("lb1") == "Backup" })
	since := l.mark("lb1")
	l.run(time.Minute)
	if changes := since(); len(changes) > 0 {
		t.Errorf("it was told of the MASTER, and then: %v", changes)
	}
	l.dropSync["lb2"] = true
	masterWithin(l, "lb1", labDetect+5*time.Millisecond)
}

func TestLosingTheMasterDuringSyncClaimsDegradedAndSaysSo(t *testing.T) {
	l := newPair(t, func(c *Config) { c.Sync.BatchEntries, c.Sync.Window = 16, 2 })
	for i := range 5000 {
		l.open("lb1", i)
	}
	l.run(time.Second)
	l.crash("lb2")
	l.run(time.Second)
	l.boot("lb2")
	l.nodes["lb2"].holdDone = true // its dataplane is slow: the window fills
	l.run(2 * labHold)
	if l.inSync("lb2") {
		t.Fatal("in sync without having applied anything")
	}
	l.crash("lb1")
	l.release("lb2")
	masterWithin(l, "lb2", 2*labDetect)
	if !strings.Contains(l.transcript(), "degraded") {
		t.Errorf("not said:\n%s", l.transcript())
	}
}

func TestAStaleTableIsNotInSync(t *testing.T) {
	l := newPair(t)
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.dropBFD["lb1 sync"] = true
	l.run(labDetect + StaleAfter + 10*time.Millisecond)
	l.wantRoles("Master", "Backup")
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	if !strings.Contains(l.transcript(), "degraded") {
		t.Errorf("claimed as if in sync:\n%s", l.transcript())
	}
}

func TestHostileMessagesChangeNoRole(t *testing.T) {
	said := State{Role: ha.Master, Rank: ha.Rank{Able: true, Epoch: 99, Complete: true, Priority: 255, ID: "lb2"}, Incarnation: 1, Seq: 1000}
	good := EncodeState(said, Version)
	but := func(change func(*State)) []byte {
		s := said
		change(&s)
		return EncodeState(s, Version)
	}
	cases := map[string][]byte{
		"empty id":       good[:StateLen],
		"truncated":      good[:10],
		"wrong version":  append([]byte{TypeState, 9}, good[2:]...),
		"unknown role":   append([]byte{TypeState, Version, 77}, good[3:]...),
		"unknown flags":  append([]byte{TypeState, Version, byte(ha.Master), 0xf0}, good[4:]...),
		"unknown type":   {0xee, Version},
		"one byte":       {TypeState},
		"another's name": but(func(s *State) { s.Rank.ID = "mallory" }),
		"last epoch":     but(func(s *State) { s.Rank.Epoch = math.MaxUint32 }),
		"last witnessed": but(func(s *State) { s.Rank.Witnessed = math.MaxUint32 }),
		"said before":    but(func(s *State) { s.Seq = 1 }),
		"not sent yet":   but(func(s *State) { s.Seen = 1000 }),
		"long request":   {TypeRequest, Version, 1},
		"short grant":    {TypeGrant, Version, 1},
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			l := newPair(t)
			l.run(time.Second)
			lb1 := l.nodes["lb1"]
			before, _ := lb1.node.PeerSaid()
			l.step(lb1, Message{Stream: lb1.stream, Data: data})
			if after, _ := lb1.node.PeerSaid(); after != before {
				t.Errorf("changed what is known of the peer")
			}
			if lb1.node.StreamID() != 0 {
				t.Error("the stream survived a protocol violation")
			}
			l.run(time.Second)
			l.wantRoles("Master", "Backup")
		})
	}
}

// A peer numbers its states, and answers numbers that were sent: a state that repeats the last number is
// refused, and one that answers the next.
func TestAStateIsTakenOnceAndAnswersWhatWasSent(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *State, sent uint64)
		taken  bool
	}{
		"the last number again":         {func(s *State, _ uint64) {}, false},
		"the next number":               {func(s *State, _ uint64) { s.Seq++ }, true},
		"it answers the last state":     {func(s *State, sent uint64) { s.Seq++; s.Seen = sent }, true},
		"it answers a state not sent":   {func(s *State, sent uint64) { s.Seq++; s.Seen = sent + 1 }, false},
		"the largest epoch of a pair":   {func(s *State, _ uint64) { s.Seq++; s.Rank.Witnessed = MaxEpoch }, true},
		"more than the largest of them": {func(s *State, _ uint64) { s.Seq++; s.Rank.Witnessed = MaxEpoch + 1 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newPair(t)
			l.run(time.Second)
			lb1 := l.nodes["lb1"]
			said, _ := lb1.node.PeerSaid()
			c.change(&said, lb1.node.StatesSent())
			l.step(lb1, Message{Stream: lb1.stream, Data: EncodeState(said, Version)})
			if taken := lb1.node.StreamID() != 0; taken != c.taken {
				t.Errorf("taken: %v, want %v", taken, c.taken)
			}
		})
	}
}

// Messages in flight on a closed stream do not count on the next one.
func TestMessagesOfAClosedStreamAreIgnored(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	former := lb1.stream
	l.dropStream(lb1)
	l.dropStream(l.nodes["lb2"])
	l.until(time.Second, "a new stream", func() bool {
		_, known := lb1.node.PeerSaid()
		return lb1.stream != 0 && lb1.stream != former && known
	})
	before, _ := lb1.node.PeerSaid()
	claim := State{Role: ha.Master, Rank: ha.Rank{Able: true, Epoch: 99, Complete: true, ID: "lb2"}, Incarnation: 1, Seq: 1}
	for _, data := range [][]byte{EncodeState(claim, Version), {0xee}} {
		l.step(lb1, Message{Stream: former, Data: data})
	}
	if after, _ := lb1.node.PeerSaid(); after != before || lb1.node.StreamID() == 0 {
		t.Error("a message of the former stream was heard")
	}
	l.wantRoles("Master", "Backup")
}

func FuzzMessages(f *testing.F) {
	f.Add(EncodeState(State{Role: ha.Master, Rank: ha.Rank{Able: true, Epoch: 2, ID: "lb2"}}, Version))
	f.Add(EncodeGrant(Grant{Epoch: 1, Barrier: 3}, Version))
	f.Add(EncodeRequest(Version))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 {
			return
		}
		if s, err := DecodeState(data); err == nil {
			version := min(max(data[1], 1), Version)
			data[0], data[1] = TypeState, version
			if got := EncodeState(s, version); string(got) != string(data) {
				t.Errorf("state decodes and encodes to something else")
			}
		}
		if g, err := DecodeGrant(data); err == nil {
			data[0], data[1] = TypeGrant, Version
			if got := EncodeGrant(g, Version); string(got) != string(data) {
				t.Errorf("grant decodes and encodes to something else")
			}
		}
	})
}

// TestAQuietStreamOfVersion1Lives: its nodes send no keepalives.
func TestAQuietStreamOfVersion1Lives(t *testing.T) {
	l := newPairAt(t, 1)
	l.run(time.Second)
	opened := l.nodes["lb1"].node.StreamID()
	l.run(3 * MuteLimit)
	if id := l.nodes["lb1"].node.StreamID(); id != opened || id == 0 {
		t.Errorf("stream %d, want still %d", id, opened)
	}
}

// TestAnEmptyFrameChangesNothing: it has no type.
func TestAnEmptyFrameChangesNothing(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	l.step(lb1, Message{Stream: lb1.stream})
	if lb1.node.StreamID() == 0 {
		t.Error("the stream was closed")
	}
	l.wantRoles("Master", "Backup")
}

// TestASilentStreamOnADeadPathIsClosed: the other paths say nothing about it.
func TestASilentStreamOnADeadPathIsClosed(t *testing.T) {
	l := newPair(t)
	l.dropBFD["lb1 sync"], l.dropBFD["lb2 sync"] = true, true
	l.run(time.Second)
	if l.nodes["lb2"].stream == 0 {
		t.Fatal("the stream ended although it was heard")
	}
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.until(labDetect, "the stream is closed", func() bool { return l.nodes["lb2"].stream == 0 })
}
