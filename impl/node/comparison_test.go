package node_test

import (
	"strings"
	"testing"
	"time"

	"baton/impl/catalog"
	. "baton/impl/node"
	"baton/impl/trace"
)

// balances has a node balance services, given as names and their backends.
func (l *lab) balances(id string, services ...[2]string) {
	var all []catalog.Service
	for _, s := range services {
		all = append(all, catalog.Of(s[0], [catalog.Parts]string{catalog.Backends: s[1]}))
	}
	l.step(l.nodes[id], Services{Catalog: catalog.New(all)})
}

// differs waits until a node reports these differences of the peer's services.
func (l *lab) differs(id, want string) {
	l.t.Helper()
	l.until(time.Second, id+" finds "+want, func() bool {
		p := l.nodes[id].node.Status().Peer
		return p.Compared && catalog.Words(p.Differences) == want
	})
}

// notes counts the notes of a node.
func (l *lab) notes(id, text string) (n int) {
	for _, e := range l.log {
		if e.Node == id && e.Kind == trace.KindNote && strings.Contains(e.Note, text) {
			n++
		}
	}
	return n
}

func TestAPeerWithOtherServicesIsNamed(t *testing.T) {
	l := newPair(t)
	web, old := [2]string{"web", "a"}, [2]string{"old", "a"}
	l.balances("lb1", web)
	l.balances("lb2", web)
	l.differs("lb1", "")
	l.differs("lb2", "")

	l.balances("lb2", [2]string{"web", "b"}, old)
	l.differs("lb1", "old: only at the peer; web: backends")
	l.differs("lb2", "old: only here; web: backends")
	if n := l.notes("lb1", "peer lb2 has a different configuration: old: only at the peer; web: backends"); n != 1 {
		t.Errorf("lb1 noted the difference %d times", n)
	}
	if !l.inSync("lb2") || !l.nodes["lb2"].node.Status().InSync {
		t.Error("a BACKUP with other services is not in sync")
	}
	l.open("lb1", 1)
	l.until(time.Second, "lb2 has the flow", func() bool { return len(l.nodes["lb2"].table) == 1 })

	l.balances("lb1", [2]string{"web", "b"}, old)
	l.differs("lb1", "")
	l.differs("lb2", "")
	if l.notes("lb1", "configured as here again") != 1 || l.nodes["lb1"].node.ServicesDiffer() {
		t.Error("lb1 does not say that the services are the same again")
	}
}

// The peer's catalog counts for the stream on which it was sent.
func TestServicesAreComparedAnewOnEachStream(t *testing.T) {
	l := newPair(t)
	l.balances("lb1", [2]string{"web", "a"})
	l.balances("lb2", [2]string{"web", "b"})
	l.differs("lb1", "web: backends")
	l.crash("lb2")
	l.until(time.Second, "the stream is given up", func() bool { return !l.nodes["lb1"].node.Status().Peer.Stream })
	if p := l.nodes["lb1"].node.Status().Peer; p.Compared || len(p.Differences) > 0 {
		t.Errorf("without a stream lb1 compares with what the peer said before it died: %v", p.Differences)
	}
	l.boot("lb2")
	l.until(3*time.Second, "a new stream", func() bool { return l.nodes["lb2"].node.Status().Peer.Stream })
	if p := l.nodes["lb1"].node.Status().Peer; p.Compared || len(p.Differences) > 0 {
		t.Errorf("lb1 compares with what the peer said before it died: %v", p.Differences)
	}
	l.balances("lb2", [2]string{"web", "a"})
	l.differs("lb1", "")
}

// A peer of an earlier version sends no services, and gets none.
func TestServicesAreNotToldToAnEarlierVersion(t *testing.T) {
	l := newPairAt(t, 3)
	for _, id := range []string{"lb1", "lb2"} {
		l.balances(id, [2]string{"web", id})
	}
	l.until(3*time.Second, "lb1 Master and lb2 in sync", func() bool { return l.role("lb1") == "Master" && l.inSync("lb2") })
	for id, n := range l.nodes {
		s := n.node.Status().Peer
		if s.Compared || len(s.Differences) > 0 || !n.node.ServicesDiffer() || s.Version != 3 {
			t.Errorf("%s on a stream of version %d: compared %v, %v", id, s.Version, s.Compared, s.Differences)
		}
	}
}

// An invalid catalog from the peer resets the stream; a catalog that cannot be encoded is not sent.
func TestServicesThatCannotBeCompared(t *testing.T) {
	l := newPair(t)
	stream := l.nodes["lb1"].stream
	l.step(l.nodes["lb1"], Message{Stream: stream, Data: []byte{TypeServices, Version, 0, 1}})
	if l.notes("lb1", "sync stream reset: catalog: cut short") != 1 {
		t.Error(l.transcript())
	}
	l.balances("lb1", [2]string{strings.Repeat("x", 64), "a"})
	if l.notes("lb1", "services not compared with the peer's") != 1 {
		t.Error(l.transcript())
	}
}
