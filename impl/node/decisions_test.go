package node_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	. "baton/impl/node"
)

// withdrawn marks a topic whose decision was withdrawn. An empty decision differs: it
// deletes a service, while a withdrawn one restores what the file says.
const withdrawn = "-"

// decides makes decisions on a node, each as "topic=decision" or "-topic".
func (l *lab) decides(id string, decisions ...string) {
	for _, d := range decisions {
		topic, decision, decided := strings.Cut(d, "=")
		in := Decided{Topic: strings.TrimPrefix(topic, withdrawn)}
		if decided {
			in.Data = []byte(decision)
		}
		l.step(l.nodes[id], in)
	}
}

// follows waits until a node was told to follow exactly these decisions, in order, and
// clears the record.
func (l *lab) follows(id string, want ...string) {
	l.t.Helper()
	n := l.nodes[id]
	l.until(time.Second, id+" follows "+strings.Join(want, " "), func() bool { return len(n.followed) >= len(want) })
	if !slices.Equal(n.followed, want) {
		l.t.Fatalf("%s was told to follow %q, want %q\n%s", id, n.followed, want, l.transcript())
	}
	n.followed = nil
}

// quiet lets time pass and requires that a node is not told to follow anything.
func (l *lab) quiet(id string) {
	l.t.Helper()
	l.run(20 * time.Millisecond)
	l.follows(id)
}

func TestTheBackupFollowsWhatTheMasterDecides(t *testing.T) {
	l := newPair(t)
	l.decides("lb2", "web=b", "old=b") // before it follows
	l.decides("lb1", "web=a")
	l.follows("lb2", "-old", "web=a")
	l.decides("lb1", "web=c")
	l.follows("lb2", "web=c")
	l.decides("lb1", "api=d", "web=", "-web")
	l.follows("lb2", "api=d", "web=", "-web")
	l.decides("lb2", "api=d", "-web") // as the daemon does
	l.quiet("lb1")
	l.quiet("lb2")
}

// The new MASTER decides by itself from its claim on. The old one follows only the complete set
// that the new one sends as MASTER.
func TestAfterAHandoverTheOtherFollows(t *testing.T) {
	l := newPair(t)
	l.decides("lb1", "web=a")
	l.follows("lb2", "web=a")
	l.decides("lb2", "web=a")
	l.step(l.nodes["lb1"], Handover{})
	l.until(time.Second, "lb2 Master", func() bool { return l.role("lb2") == "Master" })
	l.follows("lb2", "unfollow")
	l.decides("lb2", "web=b")
	l.run(10 * time.Millisecond)
	l.follows("lb1", "web=a", "web=b")
	l.quiet("lb2")

	l.decides("lb1", "web=b")
	l.step(l.nodes["lb2"], Handover{})
	l.until(time.Second, "lb1 Master", func() bool { return l.role("lb1") == "Master" })
	l.follows("lb1", "unfollow")
	l.run(10 * time.Millisecond)
	l.follows("lb2", "web=b")
}

// Without decisions of a MASTER a node decides by itself.
func TestWithoutAStreamEachDecidesByItself(t *testing.T) {
	l := newPair(t)
	l.decides("lb1", "web=a")
	l.follows("lb2", "web=a")
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.follows("lb2", "unfollow")
	if l.role("lb2") != "Backup" {
		t.Fatalf("lb2 is %s", l.role("lb2"))
	}
	l.decides("lb1", "web=b")
	l.decides("lb2", "api=x")
	l.until(5*time.Second, "the stream is given up", func() bool { return l.nodes["lb1"].stream == 0 && l.nodes["lb2"].stream == 0 })
	l.dropSync["lb1"], l.dropSync["lb2"] = false, false
	l.until(5*time.Second, "lb2 follows again", func() bool { return len(l.nodes["lb2"].followed) > 0 })
	l.follows("lb2", "-api", "web=b")
}

// A withdrawn decision is not sent again on the next stream.
func TestAWithdrawnDecisionIsForgotten(t *testing.T) {
	l := newPair(t)
	l.decides("lb1", "web=a", "api=b")
	l.follows("lb2", "web=a", "api=b")
	l.decides("lb1", "-web")
	l.follows("lb2", "-web")
	l.dropStream(l.nodes["lb1"])
	l.follows("lb2", "unfollow")
	l.until(5*time.Second, "lb2 follows again", func() bool { return len(l.nodes["lb2"].followed) > 0 })
	l.follows("lb2", "api=b")
}

// A BACKUP that takes over from a dead MASTER decides by itself, and the node that comes
// back follows it.
func TestARestoredNodeFollows(t *testing.T) {
	l := newPair(t)
	l.decides("lb1", "web=a")
	l.follows("lb2", "web=a")
	l.decides("lb2", "web=a")
	l.crash("lb1")
	l.until(time.Second, "lb2 Master", func() bool { return l.role("lb2") == "Master" })
	l.follows("lb2", "unfollow")
	l.boot("lb1")
	l.decides("lb1", "web=boot")
	l.until(5*time.Second, "lb1 follows", func() bool { return len(l.nodes["lb1"].followed) > 0 })
	l.follows("lb1", "web=a")
	l.quiet("lb2")
}

// An isolated MASTER decides for itself; no node follows a peer that does not lead.
func TestNobodyFollowsABackup(t *testing.T) {
	l := newPair(t)
	l.decides("lb1", "web=a")
	l.follows("lb2", "web=a")
	l.decides("lb2", "web=other")
	l.quiet("lb1")
}

func TestInvalidDecisionsAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"cut short", []byte{0, 0, 0, 1}, "length 6 is not 7"},
		{"without a beginning", []byte{0, 0, 0, 9, 1, 1, 'a'}, "no set of it has begun"},
		{"a part that nobody knows", []byte{0, 0, 0, 1, 7}, "part 7 is unknown"},
		{"no topic", []byte{0, 0, 0, 1, 1}, "topic is cut short"},
		{"a topic cut short", []byte{0, 0, 0, 1, 1, 5, 'a'}, "topic is cut short"},
		{"a mark that nobody knows", []byte{0, 0, 0, 1, 1, 1, 'a', 3}, "0 bytes about \"a\" with mark 3"},
	} {
		l := newPair(t)
		l.decides("lb1", "web=a")
		l.follows("lb2", "web=a")
		n := l.nodes["lb2"]
		l.step(n, Message{Stream: n.stream, Data: append([]byte{TypeDecision, Version}, tt.data...)})
		if l.notes("lb2", tt.want) != 1 {
			t.Errorf("%s: %s", tt.name, l.transcript())
		}
	}
}

func TestADecisionThatExceedsALimitIsNotSent(t *testing.T) {
	l := newPair(t)
	l.decides("lb1", "web="+strings.Repeat("x", MaxDecision), "web="+strings.Repeat("x", MaxDecision+1), strings.Repeat("t", 81)+"=a")
	for i := range 512 {
		l.decides("lb1", strings.Repeat("t", i/100+1)+string(rune('a'+i%100))+"=a")
	}
	if n := l.notes("lb1", "it breaks a limit"); n != 3 {
		t.Errorf("%d decisions were refused, want that of %d bytes, the long topic and the 513th", n, MaxDecision+1)
	}
	l.run(10 * time.Millisecond)
	if n := len(l.nodes["lb2"].followed); n != 512 || l.nodes["lb2"].stream == 0 {
		t.Errorf("lb2 follows %d\n%s", n, l.transcript())
	}
}

// A peer of an earlier version gets and sends no decisions.
func TestAnEarlierVersionFollowsNothing(t *testing.T) {
	l := newPairAt(t, 3)
	for _, id := range []string{"lb1", "lb2"} {
		l.decides(id, "web="+id)
	}
	l.until(3*time.Second, "lb1 Master and lb2 in sync", func() bool { return l.role("lb1") == "Master" && l.inSync("lb2") })
	l.decides("lb1", "web=a")
	l.quiet("lb2")
	if l.notes("lb2", "sync stream reset") > 0 {
		t.Error(l.transcript())
	}
}
