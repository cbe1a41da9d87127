package node

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/fingerprint"
	"baton/impl/fingerprint/fieldtest"
	"baton/impl/flow"
	"baton/impl/ha"
)

func fullNode(t *testing.T) *Node {
	n, err := New(Config{
		ID: "lb1", Peer: "lb2", Incarnation: 1, Hold: time.Second, Links: []string{"client0"}, Track: Track{Targets: []string{"b1"}, Misses: 1},
		Paths: []Path{{Name: "sync", BFD: bfd.Config{LocalDiscr: 1, DesiredMinTxInterval: 5e7, RequiredMinRxInterval: 5e7, DetectMult: 3}}},
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	n.links.receive(Link{Name: "client0", Up: true})
	n.pending[1] = pending{kind: pendingDump}
	n.decisions.mine, n.decisions.theirs = map[string][]byte{"a": {1}}, map[string][]byte{"a": {1}}
	n.events = []ha.Event{ha.GatesChanged}
	n.strays.found = []flow.Tuple{{}}
	n.deferral.waiting = []waitingReply{{seq: 1}}
	return n
}

// Every field of the node and its parts is in the fingerprint or on this list of exceptions;
// likewise for the copy. Sessions and the engine have their own lists.
func TestEveryFieldIsInTheFingerprint(t *testing.T) {
	fieldtest.Fingerprint(t, fullNode(t), func(n *Node, h *fingerprint.Hash) { n.Fingerprint(h) },
		"cfg", "now", "deadline", "view", "told", "kept", "events", "effects", "spare", "spares", "lastID", "pending", // without effect between steps
		"comparison", "decisions", "gates.why", "gates.since", "adoption.taken", "adoption.entries", "dataplane.Why", "reading.stats", "scrub.stats", "scrub.awaited", "merging.awaited", "deferral.stats", "paths.sending.why", // for people
		"paths.Path", "paths.polls", "paths.told", "paths.proven", "lease.taken", "arbitration.machine.id", // the deadlines stand for them
		"paths.session", "sync", "arbitration.machine.self", "arbitration.machine.validity", "arbitration.machine.err", "arbitration.policy", "arbitration.keeping.alone", "arbitration.keeping.last",
		"scrub.queued", "strays.queued", // the queue stands for it
		"deferral.waiting.Deferred",        // names a packet
		"announce.pace", "announce.random", // the configuration, and the random phase of announcements
	)
}

func TestTheCopySharesNothing(t *testing.T) {
	fieldtest.Clone(t, fullNode(t), (*Node).Clone, "cfg", "view", "comparison", "effects", "spare", "spares", "paths.Path", "paths.session", "sync")
}
