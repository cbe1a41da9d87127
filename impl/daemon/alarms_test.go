package daemon

import (
	"slices"
	"strings"
	"testing"

	"baton/impl/daemon/control"
	"baton/impl/daemon/pki"
)

// alarmed reports whether a status has an alarm that contains all of some words.
func alarmed(words ...string) func(control.Status) bool {
	return func(s control.Status) bool {
		return slices.ContainsFunc(s.Alarms, func(alarm string) bool {
			return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(alarm, word) })
		})
	}
}

// TestAPeerThatCannotProveItselfRaisesAnAlarm: on both ends, with its cause, with few lines
// in the log, for as long as it lasts.
func TestAPeerThatCannotProveItselfRaisesAnAlarm(t *testing.T) {
	p := newPair(t)
	other := t.TempDir()
	if err := pki.Init(other, "lb1", "lb2"); err != nil {
		t.Fatal(err)
	}
	lb1, lb2 := p.nodes[0], p.nodes[1]
	files := pki.FilesIn(other, "lb2")
	lb2.Sync.CA, lb2.Sync.Cert, lb2.Sync.Key = files.CA, files.Cert, files.Key // and the secret of the pair
	lb2.writeConfig(t)
	for _, n := range p.nodes {
		n.start(t)
	}
	for _, n := range p.nodes {
		s := n.waitStatus(t, "alarmed", alarmed("no sync stream after", "not-authenticated"))
		if s.Stream.Up || s.Stream.Failures < refusedAfter || s.Stream.Ends["not-authenticated"] == 0 {
			t.Errorf("%s: %+v", n.Node, s.Stream)
		}
	}
	// The dialling end retries 50 ms after the first refusal and every 5 s in the end.
	lb1.waitStatus(t, "trying less often", func(s control.Status) bool { return s.Stream.Retry.Seconds() > 1 })
	for _, n := range p.nodes {
		if lines := strings.Count(n.log.String(), "sync stream: no stream"); lines > 3 {
			t.Errorf("%s has logged %d lines about it:\n%s", n.Node, lines, n.log.String())
		}
	}
}

// TestTwoSecretsRaiseAnAlarm: neither node can know which secret is wrong. Only the sync
// stream keeps both from being MASTER.
func TestTwoSecretsRaiseAnAlarm(t *testing.T) {
	p := newPair(t)
	p.nodes[1].withoutSecret(t)
	for _, n := range p.nodes {
		n.start(t)
	}
	p.nodes[0].waitStatus(t, "alarmed", alarmed("bfd path", "auth_missing", "bfd.secret"))
	p.nodes[1].waitStatus(t, "alarmed", alarmed("bfd path", "auth_unexpected", "bfd.secret"))
	p.nodes[0].waitStatus(t, "MASTER without BFD", is("Master"))
	s := p.nodes[1].waitStatus(t, "told by the stream", func(s control.Status) bool { return s.Peer.Role == "Master" })
	if s.Role != "Backup" {
		t.Errorf("%s beside a MASTER that the stream tells of", s.Role)
	}
}
