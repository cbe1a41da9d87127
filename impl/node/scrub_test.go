package node_test

import (
	. "baton/impl/node"
	"fmt"
	"testing"
	"time"

	"baton/impl/driver"
	"baton/impl/flow"
)

// scrubLimit is the time within which damage is found and healed in the lab's small tables.
const scrubLimit = 2*ScrubPause + 4*ScrubEvery

// newScrubbed returns a pair that scrubs, with flows.
func newScrubbed(t *testing.T, flows int) (*lab, []flow.Entry) {
	l := newPair(t, func(c *Config) { c.Scrub = true })
	var entries []flow.Entry
	for i := range flows {
		entries = append(entries, l.open("lb1", 1+i))
	}
	l.run(time.Second)
	return l, entries
}

func (l *lab) found(id, kind string) uint64 { return l.nodes[id].node.Status().Scrub.ByKind[kind] }

// damages are the kinds of dataplane damage, each with a function that causes it.
var damages = []struct {
	what, kind string
	do         func(n *labNode, e flow.Entry)
	extra      bool // the damage is a flow that nobody opened
}{
	{"no entry", "missing", func(n *labNode, e flow.Entry) { delete(n.table, e.Original) }, false},
	{"another SNAT port", "altered", func(n *labNode, e flow.Entry) {
		e.Reply.DstPort ^= 1 << 9
		n.table[e.Original], n.unsound[e.Original] = e, true
	}, false},
	{"a state of another protocol", "altered", func(n *labNode, e flow.Entry) {
		e.State = flow.Assured
		n.table[e.Original], n.unsound[e.Original] = e, true
	}, false},
	{"a claim that leads elsewhere", "altered", func(n *labNode, e flow.Entry) { n.unsound[e.Original] = true }, false},
	{"an entry that no packet can use", "extra", func(n *labNode, e flow.Entry) {
		e.Original.SrcPort ^= 1 << 14
		n.table[e.Original], n.unsound[e.Original] = e, true
	}, true},
}

// TestANodeThatIsToldNotToScrubNeverWalks: damage stays, and a walk costs nothing.
func TestANodeThatIsToldNotToScrubNeverWalks(t *testing.T) {
	l := newPair(t)
	for _, n := range l.nodes {
		n.onWalk = func() { t.Errorf("%s walks its dataplane", n.id) }
	}
	l.run(2 * scrubLimit)
	l.wantRoles("Master", "Backup")
}

// TestDamageOfADataplaneIsHealed: on either node, without any message to the peer.
func TestDamageOfADataplaneIsHealed(t *testing.T) {
	for _, id := range []string{"lb1", "lb2"} {
		for _, d := range damages {
			l, flows := newScrubbed(t, 40)
			l.run(scrubLimit)
			n, digest := l.nodes[id], l.nodes[id].node.Status().Digest
			d.do(n, flows[20])
			l.run(scrubLimit)
			l.wantDataplanes(fmt.Sprintf("%s on %s", d.what, id), flows)
			if got := l.found(id, d.kind); got != 1 {
				t.Errorf("%s on %s: found %d %s", d.what, id, got, d.kind)
			}
			if s := n.node.Status(); s.Digest != digest || s.Scrub.Unhealed != 0 {
				t.Errorf("%s on %s: the mirror has changed: %+v", d.what, id, s.Scrub)
			}
			l.wantRoles("Master", "Backup")
		}
	}
}

// wantDataplanes checks that both dataplanes hold these flows, sound, and no others.
func (l *lab) wantDataplanes(what string, flows []flow.Entry) {
	l.t.Helper()
	for id, n := range l.nodes {
		if len(n.table) != len(flows) || len(n.unsound) != 0 {
			l.t.Errorf("%s: %s holds %d flows, %d of them damaged, want %d", what, id, len(n.table), len(n.unsound), len(flows))
		}
		for _, want := range flows {
			if got := n.table[want.Original]; got.Reply != want.Reply || got.State != want.State {
				l.t.Errorf("%s: %s holds %+v, want %+v", what, id, got, want)
			}
		}
	}
}

// TestTheMastersConsistentEntryReplacesTheMirrors: packets are forwarded by it, and the mirrors of both nodes
// and the peer's dataplane follow. On the BACKUP the mirror is right.
func TestTheMastersConsistentEntryReplacesTheMirrors(t *testing.T) {
	change := func(n *labNode, e flow.Entry) flow.Entry {
		e.State, e.Reply.Src = flow.FinWait, flow.IPv4(198, 18, 1, 99)
		n.table[e.Original] = e
		return e
	}
	l, flows := newScrubbed(t, 40)
	flows[20] = change(l.nodes["lb1"], flows[20])
	extra := l.uncounted("lb1", 500)
	flows = append(flows, l.nodes["lb1"].table[extra])
	l.run(scrubLimit)
	l.wantDataplanes("of the MASTER", flows)
	if l.found("lb1", "altered") != 1 || l.found("lb1", "extra") != 1 {
		t.Errorf("found %v", l.nodes["lb1"].node.Status().Scrub)
	}

	l, flows = newScrubbed(t, 40)
	change(l.nodes["lb2"], flows[20])
	l.uncounted("lb2", 500)
	l.run(scrubLimit)
	l.wantDataplanes("of the BACKUP", flows)
	if l.found("lb2", "altered") != 1 || l.found("lb2", "extra") != 1 {
		t.Errorf("found %v", l.nodes["lb2"].node.Status().Scrub)
	}
}

// TestALateEventIsNoDamage: the event of a change shows that a difference is no damage, whether it
// was pending when the part was read or came before the suspects were read again.
func TestALateEventIsNoDamage(t *testing.T) {
	l, flows := newScrubbed(t, 40)
	lb1 := l.nodes["lb1"]
	changed, opened, gone := flows[20], flows[20], flows[21]
	changed.State = flow.FinWait
	opened.Original.SrcPort, opened.Reply.DstPort = 900, 9900
	var late []flow.Event
	lb1.onWalk = func() { // the part is about to be read
		lb1.table[changed.Original], lb1.table[opened.Original] = changed, opened
		delete(lb1.table, gone.Original)
		closing := flows[22]
		closing.State = flow.FinWait
		lb1.table[closing.Original] = closing
		wrong := flows[23] // damaged, and opened anew before it is read again
		wrong.Reply.DstPort ^= 1 << 9
		lb1.table[wrong.Original], lb1.unsound[wrong.Original] = wrong, true
		late = []flow.Event{{Entry: changed}, {Entry: opened}, {Entry: gone, Deleted: true}, {Entry: closing}}
	}
	lb1.onDrain = func(take func([]flow.Event)) bool {
		if late != nil {
			take(late)
			late = nil
		}
		return false
	}
	again, anew := flows[22], flows[23]
	again.State, anew.State = flow.Closed, flow.FinWait
	lb1.onExamine = func() { // after the events were drained
		lb1.table[again.Original], lb1.table[anew.Original] = again, anew
		delete(lb1.unsound, anew.Original)
		l.after(0, "lb1", func(n *labNode) { l.step(n, Flows{Events: []flow.Event{{Entry: again}, {Entry: anew}}}) })
	}
	l.run(3 * scrubLimit)
	if late != nil {
		t.Fatal("nothing was drained")
	}
	if got := lb1.node.Status().Scrub; got.Scrubs == 0 || got.ByKind["missing"]+got.ByKind["extra"]+got.ByKind["altered"] != 0 {
		t.Errorf("found %+v in a sound dataplane", got)
	}
	if lb1.heals != 0 {
		t.Errorf("%d writes to heal a sound dataplane", lb1.heals)
	}
}

// TestAChangeWhoseEventIsLostIsNoDamage: the drain before the suspects are read again reports the
// loss, and a read of the dataplane follows.
func TestAChangeWhoseEventIsLostIsNoDamage(t *testing.T) {
	l, flows := newScrubbed(t, 40)
	lb1 := l.nodes["lb1"]
	lost := false
	lb1.onWalk = func() {
		flows[20].State = flow.FinWait
		lb1.table[flows[20].Original] = flows[20]
		delete(lb1.table, flows[39].Original)
		lost = true
	}
	lb1.onDrain = func(func([]flow.Event)) bool {
		told := lost
		lost = false
		return told
	}
	l.run(3 * scrubLimit)
	if got := lb1.node.Status().Scrub; got.Scrubs == 0 || got.ByKind["missing"]+got.ByKind["altered"] != 0 || lb1.heals != 0 {
		t.Errorf("found %+v in a sound dataplane, and healed it %d times", got, lb1.heals)
	}
	l.wantDataplanes("after the read", flows[:39])
}

// TestSuspectsAreKeptWhileCallsFail: finding them again would take another walk, which takes minutes for a
// large table.
func TestSuspectsAreKeptWhileCallsFail(t *testing.T) {
	for _, call := range []driver.Call{driver.Drain, driver.Examine} {
		l, flows := newScrubbed(t, 40)
		lb1 := l.nodes["lb1"]
		wrong := flows[20]
		wrong.Reply.DstPort ^= 1 << 9
		lb1.table[wrong.Original], lb1.unsound[wrong.Original] = wrong, true
		walks := 0
		var count func()
		count = func() { walks++; lb1.onWalk = count }
		lb1.onWalk = count
		lb1.fails[call] = driver.Fails
		l.until(scrubLimit, "a suspect cannot be examined", func() bool { return lb1.node.Status().Scrub.Streak >= 3 })
		delete(lb1.fails, call)
		suspected, examined := walks, 0
		lb1.onExamine = func() { examined = walks }
		l.until(2*ScrubEvery, "the suspect is healed", func() bool { return len(lb1.unsound) == 0 })
		if examined != suspected {
			t.Errorf("%v: suspected after walk %d, examined after walk %d", call, suspected, examined)
		}
		l.run(time.Second)
		l.wantDataplanes(call.String(), flows)
	}
}

// TestFailedScrubsAreCounted: until one is complete.
func TestFailedScrubsAreCounted(t *testing.T) {
	l, _ := newScrubbed(t, 40)
	lb2 := l.nodes["lb2"]
	lb2.fails[driver.Walk] = driver.Fails
	l.run(3 * scrubLimit)
	failed := lb2.node.Status().Scrub
	if failed.Streak < 3 || failed.Why == "" {
		t.Errorf("lb2 says %+v of scrubs that fail", failed)
	}
	delete(lb2.fails, driver.Walk)
	l.run(2 * scrubLimit)
	if s := lb2.node.Status().Scrub; s.Streak != 0 || s.Scrubs == failed.Scrubs {
		t.Errorf("lb2 says %+v of scrubs after one was complete", s)
	}
}

// TestAnEntryWithAPendingWriteIsNotMissing: scrubs of a BACKUP with pending writes find no difference.
func TestAnEntryWithAPendingWriteIsNotMissing(t *testing.T) {
	l, _ := newScrubbed(t, 10)
	lb2 := l.nodes["lb2"]
	lb2.holdDone = true
	for i := range 100 {
		l.open("lb1", 100+i)
		l.run(ScrubEvery)
		if i%7 == 0 {
			l.release("lb2")
			lb2.holdDone = true
		}
	}
	l.release("lb2")
	l.run(scrubLimit)
	if got := lb2.node.Status().Scrub; got.ByKind["missing"]+got.ByKind["extra"]+got.ByKind["altered"] != 0 || got.Scrubs == 0 {
		t.Errorf("found %+v", got)
	}
}

// TestAnEntryWhosePortIsTakenIsGone: a MASTER that cannot write it back says so to its peer.
func TestAnEntryWhosePortIsTakenIsGone(t *testing.T) {
	l, flows := newScrubbed(t, 40)
	lb1 := l.nodes["lb1"]
	delete(lb1.table, flows[20].Original)
	lb1.taken[flows[20].Reply] = true
	l.run(scrubLimit)
	l.wantDataplanes("another flow has the port", append(flows[:20:20], flows[21:]...))
	if got := lb1.node.Status().Scrub.Unhealed; got != 1 {
		t.Errorf("%d entries could not be written back", got)
	}
}

// TestARefusedHealingIsTriedAgain: no flow is given up because the dataplane takes no writes.
func TestARefusedHealingIsTriedAgain(t *testing.T) {
	for _, call := range []driver.Call{driver.Walk, driver.Examine, driver.Heal, driver.Drain} {
		for _, id := range []string{"lb1", "lb2"} {
			l, flows := newScrubbed(t, 40)
			n := l.nodes[id]
			n.fails[call] = driver.Fails
			delete(n.table, flows[20].Original)
			l.run(scrubLimit)
			if s := n.node.Status(); s.Flows != 40 || s.Scrub.Unhealed != 0 {
				t.Errorf("%s of %s fails: %d flows are counted, %+v", call, id, s.Flows, s.Scrub)
			}
			delete(n.fails, call)
			l.run(2 * scrubLimit)
			l.wantDataplanes(fmt.Sprintf("%s of %s has failed", call, id), flows)
		}
	}
}

// TestManyAreHealed: more than fit into one part.
func TestManyAreHealed(t *testing.T) {
	for _, id := range []string{"lb1", "lb2"} {
		l, flows := newScrubbed(t, 700)
		clear(l.nodes[id].table)
		l.run(5*time.Second + scrubLimit)
		l.wantDataplanes("an empty table of "+id, flows)
	}
}

// TestANodeThatDoesNotKnowDoesNotScrub: the dataplane of a BACKUP that is not in sync may hold more
// than its mirror.
func TestANodeThatDoesNotKnowDoesNotScrub(t *testing.T) {
	l, flows := newScrubbed(t, 10)
	lb2 := l.nodes["lb2"]
	l.dropSync["lb1"] = true
	l.uncounted("lb2", 500)
	l.run(scrubLimit)
	if len(lb2.table) != len(flows)+1 {
		t.Errorf("%d flows, want %d: the table was not in sync", len(lb2.table), len(flows)+1)
	}
}

// TestABusyBackupIsScrubbed: a write is always pending, but does not concern the damaged entry.
func TestABusyBackupIsScrubbed(t *testing.T) {
	l, flows := newScrubbed(t, 40)
	lb2 := l.nodes["lb2"]
	lb2.holdDone = true
	wrong := flows[7]
	wrong.Reply.DstPort ^= 1 << 9
	lb2.table[wrong.Original], lb2.unsound[wrong.Original] = wrong, true
	for end, i := l.now.Add(scrubLimit), 100; l.now < end; i++ {
		l.open("lb1", i)
		l.run(5 * time.Millisecond)
		for len(lb2.later) > 1 { // the newest write is not applied
			in := lb2.later[0]
			lb2.later = lb2.later[1:]
			l.step(lb2, in)
		}
	}
	if got := lb2.table[wrong.Original]; got.Reply != flows[7].Reply || lb2.unsound[wrong.Original] {
		t.Errorf("the BACKUP holds %+v, want %+v", got, flows[7])
	}
}

// TestABackupIsScrubbedBetweenItsFailures: each write that fails puts it out of sync for a moment.
func TestABackupIsScrubbedBetweenItsFailures(t *testing.T) {
	l, flows := newScrubbed(t, 40)
	lb2 := l.nodes["lb2"]
	wrong := flows[7]
	wrong.Reply.DstPort ^= 1 << 9
	lb2.table[wrong.Original], lb2.unsound[wrong.Original] = wrong, true
	for end, i := l.now.Add(scrubLimit), 100; l.now < end; i++ {
		lb2.fails[driver.Apply] = driver.Fails
		l.open("lb1", i)
		l.run(50 * time.Millisecond)
		delete(lb2.fails, driver.Apply)
		l.run(time.Second)
	}
	if got := lb2.table[wrong.Original]; got.Reply != flows[7].Reply || lb2.unsound[wrong.Original] {
		t.Errorf("the BACKUP holds %+v, want %+v", got, flows[7])
	}
}

// TestAMasterThatReadsAllTheTimeHealsDamage: it scrubs between two reads.
func TestAMasterThatReadsAllTheTimeHealsDamage(t *testing.T) {
	l, flows := newScrubbed(t, 40)
	lb1 := l.nodes["lb1"]
	wrong := flows[7]
	wrong.Reply.DstPort ^= 1 << 9
	lb1.table[wrong.Original], lb1.unsound[wrong.Original] = wrong, true
	for range 20 {
		l.step(lb1, Lost{})
		l.run(RereadPause / 2)
	}
	l.wantDataplanes("a MASTER that loses events all the time", flows)
}
