package node

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/impl/arbiter"
	"baton/impl/clock"
	"baton/impl/ctsync"
	"baton/impl/ha"
)

// judgement is a gate's answer to a view, with its text in the source.
type judgement struct {
	gate ha.Gates
	see  func(*view)
	open bool
	text string
}

func live(v *view)   { v.live, v.listened, v.peer.Role = true, true, ha.Backup }
func silent(v *view) { v.silent, v.listened = true, true }

// after combines several changes of a view.
func after(changes ...func(*view)) func(*view) {
	return func(v *view) {
		for _, change := range changes {
			change(v)
		}
	}
}

func judgements() []judgement {
	whole := func(v *view) { v.complete = true }
	serves := func(v *view) { v.serves, v.peer.Role = true, ha.Master }
	epoch := func(v *view) { v.seen = 3 }
	cold := func(v *view) {
		v.booting, v.allUp, v.appraised, v.peer.Rank.Able = true, true, true, true
	}
	free := after(live, func(v *view) { v.outranks, v.rankKnown, v.confirmed = true, true, true })
	// ask makes a node that needs the right ask for it, and the arbiter give the answers.
	ask := func(answers ...arbiter.Answer) func(*view) {
		return func(v *view) {
			const now = clock.Instant(time.Hour)
			a := arbitration{on: true, needed: true, machine: arbiter.New("lb1", time.Second), fresh: clock.Never}
			a.machine.Want(now, true)
			for _, answer := range answers {
				a.machine.Advance(now)
				answer.ID = a.machine.Ready()[0].ID
				a.machine.Answered(now, answer)
			}
			v.arbitration = a.ruling(now, now)
		}
	}
	lacks := func(v *view) { v.reach, v.lacksLong = reach{tracked: true, lost: "b1"}, true }
	return []judgement{
		{ha.LinksUp, func(v *view) {}, true, "carrier on every service link"},
		{ha.LinksUp, func(v *view) { v.linkDown = "client0" }, false, "%s has no carrier"},
		{ha.LinksUp, func(v *view) { v.unsent = "EPERM" }, false, "BFD packets do not leave: %s"},

		{ha.DataplaneReady, func(v *view) {}, false, ""},
		{ha.DataplaneReady, func(v *view) { v.dataplane.Ready = true }, true, "attached"},

		{ha.Reachable, func(v *view) {}, true, "no target is tracked"},
		{ha.Reachable, func(v *view) { v.reach = reach{tracked: true} }, true, "every tracked target answers"},
		{ha.Reachable, lacks, false, "%s does not answer any more"},
		{ha.Reachable, func(v *view) { v.reach = reach{tracked: true, awaited: "b1"} }, false, "%s has not answered yet"},

		{ha.Arbitrated, silent, true, "no arbiter is configured"},
		{ha.Arbitrated, func(v *view) { v.gateway = reach{tracked: true} }, true, "the gateway answers; it does not keep a peer that is not heard from serving too"},
		{ha.Arbitrated, func(v *view) { v.gateway = reach{tracked: true, lost: "gw", settled: true} }, false, "the gateway %s does not answer any more"},
		{ha.Arbitrated, func(v *view) { v.role, v.gateway = ha.Master, reach{tracked: true, lost: "gw"} }, true, "the gateway %s does not answer any more, which the peer may find too"},
		{ha.Arbitrated, func(v *view) { v.gateway = reach{tracked: true, awaited: "gw"} }, false, "the gateway %s has not answered yet"},
		{ha.Arbitrated, after(ask(), func(v *view) { v.role = ha.Master }), true, "the lease holds for as long as the arbiter says, or the peer hears this node"},
		{ha.Arbitrated, after(ask(), func(v *view) { v.arbitration.heard = true }), true, "peer hears this node"},
		{ha.Arbitrated, ask(), false, "peer is not known to hear this node, and the arbiter has not said that it may act alone"},
		{ha.Arbitrated, ask(arbiter.Answer{Revision: 1, Record: arbiter.Record{Alone: "lb2"}}), false, "the arbiter says that the peer acts alone"},
		{ha.Arbitrated, ask(arbiter.Answer{Err: "no route"}), false, "peer is not known to hear this node, and the arbiter does not answer: %s"},
		{ha.Arbitrated, after(ask(), func(v *view) { v.role, v.arbitration.keeps = ha.Master, true }), true, "keep-serving: the arbiter does not answer, and this node goes on as one without an arbiter does"},
		{ha.Arbitrated, after(ask(arbiter.Answer{Err: "no route"}), func(v *view) { v.arbitration.resumes = true }), true, "keep-serving: this node served last, and hears neither arbiter nor peer"},
		{ha.Arbitrated, ask(arbiter.Answer{Revision: 1}, arbiter.Answer{Swapped: true, Revision: 2}), true, "the arbiter lets this node act alone"},

		{ha.NoMaster, after(silent, func(v *view) { v.leaving = true }), false, "this node is leaving"},
		{ha.NoMaster, after(silent, func(v *view) { v.listened = false }), false, "peer is silent, but this node has not listened for long enough since it booted or was paused"},
		{ha.NoMaster, after(silent, func(v *view) { v.listened, v.cfg.GatesOff = false, true }), true, "peer is silent on every BFD path and on the sync stream"},
		{ha.NoMaster, silent, true, "peer is silent on every BFD path and on the sync stream"},
		{ha.NoMaster, after(free, func(v *view) { v.deaf = true }), false, "peer serves and does not hear this node"},
		{ha.NoMaster, after(free, serves, func(v *view) { v.cfg.Preempt = PreemptImmediate }), true, "preempt: immediate"},
		{ha.NoMaster, after(free, serves), false, "peer is %s"},
		{ha.NoMaster, after(live, serves, func(v *view) { v.cfg.Preempt = PreemptImmediate }), false, "peer is %s"},
		{ha.NoMaster, after(free, func(v *view) { v.condition = serving }), false, "peer serves, as BFD says since its last word on the stream"},
		{ha.NoMaster, after(free, func(v *view) { v.condition, v.cfg.GatesOff = serving, true }), true, "peer is %s and ranks below"},
		{ha.NoMaster, live, false, "peer is %s and ranks above"},
		{ha.NoMaster, after(free, func(v *view) { v.rankKnown = false }), false, "peer is %s and ranks below, but does not know this node's rank yet"},
		{ha.NoMaster, after(free, func(v *view) { v.confirmed = false }), false, "peer was %s, but has not answered since this node was paused"},
		{ha.NoMaster, after(free, func(v *view) { v.rankKnown, v.confirmed, v.cfg.GatesOff = false, false, true }), true, "peer is %s and ranks below"},
		{ha.NoMaster, free, true, "peer is %s and ranks below"},
		{ha.NoMaster, func(v *view) { v.condition = unable }, false, "peer is heard, but what it says by BFD may be from before this node was paused"},
		{ha.NoMaster, func(v *view) { v.listened, v.condition = true, unable }, true, "peer says by BFD that it cannot serve"},
		{ha.NoMaster, func(v *view) { v.listened, v.condition, v.ourTurn = true, standby, true }, true, "peer stands by, as BFD says, and it is this node's turn"},
		{ha.NoMaster, func(v *view) { v.listened, v.condition = true, standby }, false, "peer stands by, as BFD says, and there is no sync stream to agree on: it is not this node's turn yet"},
		{ha.NoMaster, func(v *view) { v.listened, v.condition, v.ourTurn, v.doubted = true, standby, true, true }, false, "peer stands by, as BFD says, and may not hear this node"},
		{ha.NoMaster, func(v *view) { v.listened, v.condition, v.ourTurn = true, serving, true }, false, "peer serves, as BFD says, and there is no sync stream"},
		{ha.NoMaster, func(v *view) { v.listened, v.ourTurn = true, true }, false, "peer is heard but its role is unknown: no sync stream"},

		{ha.HoldDown, func(v *view) { v.cfg.GatesOff = true }, true, "gates: off"},
		{ha.HoldDown, func(v *view) { v.holdRun = true }, true, "recovery delay has run"},
		{ha.HoldDown, after(free, whole, func(v *view) { v.refused = true }), false, "recovery delay is running"},
		{ha.HoldDown, after(silent, func(v *view) { v.undamped = true }), false, "recovery delay is running"},
		{ha.HoldDown, free, false, "recovery delay is running"},
		{ha.HoldDown, after(live, whole), false, "recovery delay is running"},
		{ha.HoldDown, after(free, func(v *view) { v.undamped = true }), true, "not lengthened: the peer does not serve and ranks below"},
		{ha.HoldDown, after(free, cold), true, "waived: both nodes start cold"},
		{ha.HoldDown, after(silent, whole), true, "waived: the table is complete and nobody serves"},

		{ha.InSync, func(v *view) { v.cfg.GatesOff = true }, true, "gates: off"},
		{ha.InSync, func(v *view) { v.role = ha.Master }, true, "this node's table is the truth"},
		{ha.InSync, after(silent, serves, whole, func(v *view) { v.met = true }), true, "in sync when the peer was lost"},
		{ha.InSync, silent, true, "no peer was ever heard"},
		{ha.InSync, func(v *view) { v.silent, v.seen = true, 1 }, false, "the adopted table is not complete"},
		{ha.InSync, after(silent, func(v *view) { v.met = true }), false, "peer was heard, but its table was never received"},
		{ha.InSync, after(silent, epoch, func(v *view) { v.met = true }), false, "peer was lost before sync was complete"},
		{ha.InSync, after(live, serves, func(v *view) { v.stale, v.inSync = true, true }), false, "nothing was heard on the sync stream for too long while the peer is MASTER"},
		{ha.InSync, after(serves, func(v *view) { v.stale = true }), false, "nothing was heard on the sync stream for too long while the peer is MASTER"},
		{ha.InSync, after(serves, func(v *view) { v.inSync, v.peer.Unread = true, true }), false, "the MASTER could not read its dataplane: there may be flows that it has not told of"},
		{ha.InSync, after(live, serves, func(v *view) { v.inSync, v.peer.Unread = true, true }), false, "the MASTER could not read its dataplane: there may be flows that it has not told of"},
		{ha.InSync, after(live, serves, func(v *view) { v.inSync = true }), true, ""},
		{ha.InSync, after(live, serves), false, ""},
		{ha.InSync, after(live, whole, func(v *view) { v.better = true }), false, "peer has a better table"},
		{ha.InSync, after(live, whole, epoch), true, "peer has nothing newer to give"},
		{ha.InSync, live, true, "neither node ever had a MASTER"},
		{ha.InSync, after(live, epoch), false, "neither node has a complete table"},
		{ha.InSync, func(v *view) { v.met = true }, false, "peer was heard, but its table was never received"},

		{ha.Degraded, after(silent, whole), false, "the table is complete"},
		{ha.Degraded, silent, true, "peer is silent: nobody can complete this table"},
		{ha.Degraded, after(live, serves, epoch), false, "peer is MASTER, or gives its table"},
		{ha.Degraded, after(live, epoch, func(v *view) { v.awaited = true }), false, "peer cannot serve and has a better table, which it is to give"},
		{ha.Degraded, live, true, "peer cannot serve: nobody can complete this table"},
		{ha.Degraded, after(live, epoch, func(v *view) { v.peer.Rank.Able, v.better = true, true }), false, "peer has a better table"},
		{ha.Degraded, after(live, epoch, func(v *view) { v.peer.Rank.Able = true }), true, "peer has no better table: nobody can complete this one"},
		{ha.Degraded, after(live, func(v *view) { v.peer.Rank.Able, v.condition = true, standby }), false, "peer is heard"},
		{ha.Degraded, func(v *view) { v.condition = standby }, true, "there is no sync stream: nobody can complete this table"},

		{ha.Granted, func(v *view) { v.leaving, v.granted, v.live, v.applied = true, true, true, true }, false, "this node is leaving"},
		{ha.Granted, func(v *view) { v.live, v.applied = true, true }, false, "no grant"},
		{ha.Granted, func(v *view) { v.granted, v.applied = true, true }, false, "granted; but the stream is silent, and the MASTER may have taken the role back"},
		{ha.Granted, func(v *view) { v.granted, v.live = true, true }, false, "granted; what the MASTER sent last is not applied yet"},
		{ha.Granted, func(v *view) { v.granted, v.live, v.applied = true, true, true }, true, "granted by the MASTER"},

		{ha.PeerReady, func(v *view) { v.peer.Role, v.peer.Rank.Able, v.peerInSync = ha.Backup, true, true }, false, "no live sync stream to the peer"},
		{ha.PeerReady, after(live, serves, func(v *view) { v.peer.Rank.Able, v.peerInSync = true, true }), false, "peer is %s"},
		{ha.PeerReady, after(live, func(v *view) { v.overdue, v.peer.Rank.Able, v.peerInSync = true, true, true }), false, "peer is overdue on every BFD path and on the sync stream"},
		{ha.PeerReady, after(live, func(v *view) { v.peerInSync = true }), false, "peer is not able to serve"},
		{ha.PeerReady, after(live, func(v *view) { v.peer.Rank.Able = true }), false, "peer is not in sync"},
		{ha.PeerReady, after(live, func(v *view) { v.peer.Rank.Able, v.peerInSync, v.unread = true, true, true }), false, "this node could not read its dataplane: the peer may lack flows"},
		{ha.PeerReady, after(live, func(v *view) { v.peer.Rank.Able, v.peerInSync = true, true }), true, "peer is Backup and in sync"},

		{ha.PeerAble, after(live, lacks, func(v *view) { v.peer.Rank.Able = true }), true, "peer is able to serve, and this node's targets have been lost for long"},
		{ha.PeerAble, after(live, lacks, func(v *view) { v.peer.Rank.Able, v.lacksLong = true, false }), false, "the sync stream is live: the role is handed over in order"},
		{ha.PeerAble, after(live, lacks), false, "the sync stream is live: the role is handed over in order"},
		{ha.PeerAble, after(live, lacks, serves, func(v *view) { v.peer.Rank.Able = true }), false, "the sync stream is live: the role is handed over in order"},
		{ha.PeerAble, after(live, func(v *view) { v.peer.Rank.Able, v.up, v.condition = true, true, standby }), false, "the sync stream is live: the role is handed over in order"},
		{ha.PeerAble, func(v *view) { v.up, v.condition = true, standby }, true, "peer could serve, as BFD says"},
		{ha.PeerAble, func(v *view) { v.condition = standby }, false, "peer does not say that it could serve"},
		{ha.PeerAble, func(v *view) { v.up, v.condition = true, unable }, false, "peer does not say that it could serve"},
	}
}

// A view has no time, so look computes how long a target or the gateway has been lost.
func TestTheViewSaysHowLongATargetIsLost(t *testing.T) {
	n := fullNode(t)
	lacks := func(after time.Duration) bool {
		n.now = clock.Instant(after)
		heard := n.hear()
		return n.look(&heard).lacksLong
	}
	if lacks(unreachableLimit - 1) {
		t.Error("a target that has not answered since the boot counts as lost for long too early")
	}
	if !lacks(unreachableLimit) {
		t.Errorf("a target that has not answered for %v does not count as lost for long", unreachableLimit)
	}
	n.targets.receive(n.now, Probe{Target: "b1", Answered: true})
	if lacks(2 * unreachableLimit) {
		t.Error("a target that answers counts as lost for long")
	}
	n.gateway = newGateway(Gateway{Name: "gateway", Rise: 1, Fall: 1})
	if !lacks(2 * unreachableLimit) {
		t.Error("a gateway that has not answered since the boot does not count as lost for long")
	}
	n.gateway.receive(n.now, Probe{Target: "gateway", Answered: true})
	if lacks(3 * unreachableLimit) {
		t.Error("a gateway that answers counts as lost for long")
	}
}

// A peer of version 1 neither tells what its table is worth nor gives it. A node that waited for that would wait in vain.
func TestTablesAreNotWeighedWithAPeerThatCannotTellTheirWorth(t *testing.T) {
	for _, c := range []struct {
		version uint8
		want    bool
	}{{1, false}, {Version, true}} {
		for _, theirs := range []ha.Rank{{Complete: true, Epoch: 2, Witnessed: 2}, {Flows: 1}} {
			n := fullNode(t)
			n.stream.version = c.version
			n.peer.state.Rank = theirs
			heard := n.hear()
			if v := n.look(&heard); v.lacks != c.want || v.peerLacks {
				t.Errorf("version %d, the peer's rank %+v: this node lacks its table %v, want %v; the peer lacks this one's %v", c.version, theirs, v.lacks, c.want, v.peerLacks)
			}
			n.peer.state.Rank, n.complete, n.epoch, n.flows = ha.Rank{}, theirs.Complete, theirs.Epoch, theirs.Flows
			n.witnessed = theirs.Witnessed
			if v := n.look(&heard); v.peerLacks != c.want || v.lacks {
				t.Errorf("version %d, this node's rank %+v: the peer lacks its table %v, want %v; this node lacks the peer's %v", c.version, theirs, v.peerLacks, c.want, v.lacks)
			}
		}
	}
}

// A node follows no MASTER whose table is worth less than its own. One of version 1 does not tell, so it is followed.
func TestAMasterThatCannotTellTheWorthOfItsTableIsFollowed(t *testing.T) {
	for _, c := range []struct {
		version uint8
		follows bool
	}{{1, true}, {Version, false}} {
		n := fullNode(t)
		n.complete, n.witnessed, n.epoch = true, 2, 2
		n.stream.up, n.stream.version, n.peer.known = true, c.version, true
		n.peer.state = state{Role: ha.Master, Rank: ha.Rank{Able: true, Complete: true, Epoch: 3}, Incarnation: 7}
		if n.connectSync(); n.following != c.follows {
			t.Errorf("version %d: follows %v, want %v", c.version, n.following, c.follows)
		}
	}
}

// Each gate is a function of the view alone. For each of its answers there is a row with the
// smallest view that leads to it.
func TestEveryAnswerOfEveryGate(t *testing.T) {
	rows := judgements()
	for i, row := range rows {
		v := view{cfg: &Config{ID: "lb1", Peer: "lb2"}, role: ha.Backup, syncWhy: ctsync.Reason{}}
		row.see(&v)
		open, said := gateTable[row.gate.Index()].judge(&v)
		if open != row.open || said.text != row.text {
			t.Errorf("row %d: %v is open: %v, because %q; want %v, because %q", i, row.gate, open, said.text, row.open, row.text)
		}
	}
	for _, text := range answersOfGates(t) {
		found := false
		for _, row := range rows {
			found = found || row.text == text
		}
		if !found {
			t.Errorf("no view leads to %q", text)
		}
	}
}

// answersOfGates lists the texts of all answers in the source of the gate functions.
func answersOfGates(t *testing.T) (texts []string) {
	for _, file := range []string{"gates.go", "arbiter.go", "gateway.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "judge") {
				ast.Inspect(fn, func(n ast.Node) bool {
					if text, ok := textOfAnswer(n); ok {
						texts = append(texts, text)
					}
					return true
				})
			}
		}
	}
	if len(texts) < 50 {
		t.Fatalf("only %d answers found in the code", len(texts))
	}
	return texts
}

// textOfAnswer returns the literal of because("…") and of why{text: "…"}.
func textOfAnswer(n ast.Node) (string, bool) {
	var value ast.Expr
	switch n := n.(type) {
	case *ast.CallExpr:
		if name, ok := n.Fun.(*ast.Ident); ok && name.Name == "because" {
			value = n.Args[0]
		}
	case *ast.KeyValueExpr:
		if name, ok := n.Key.(*ast.Ident); ok && name.Name == "text" {
			value = n.Value
		}
	}
	literal, ok := value.(*ast.BasicLit)
	if !ok {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}
