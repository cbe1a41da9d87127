package node

import (
	"slices"
	"testing"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ha"
)

// TestWhenAServingPeerCountsAsDeaf: each clause of deaf. In a lab few of them occur, since the lease of a
// MASTER that is not heard ends before its peer notices.
func TestWhenAServingPeerCountsAsDeaf(t *testing.T) {
	const now = clock.Instant(100 * hearLimit)
	for _, c := range []struct {
		what  string
		heard hearing
		rival rival
		deaf  bool
	}{
		{"it began to serve, and hears this node on no path that is Up", hearing{condition: serving, turned: true, up: true, unheard: true}, rival{since: clock.Never}, true},
		{"it began to serve, and no session is Up", hearing{condition: serving, turned: true}, rival{since: now}, true},
		{"it began to serve, and says so on a path that is Up", hearing{condition: serving, turned: true, up: true}, rival{since: clock.Never}, false},
		{"it served before it was heard", hearing{condition: serving, up: true, unheard: true}, rival{since: clock.Never}, false},
		{"it served before it was heard, and no session came Up", hearing{condition: serving}, rival{since: now.Add(-hearLimit)}, true},
		{"it served before it was heard, and a session may still come Up", hearing{condition: serving}, rival{since: now.Add(-hearLimit + 1)}, false},
		{"it is standby", hearing{condition: standby, turned: true}, rival{since: now}, false},
		{"it is silent", hearing{condition: serving, turned: true, silent: true}, rival{since: clock.Never}, false},
		{"it has just given this node the role", hearing{condition: serving, turned: true}, rival{since: now, granted: now.Add(-grantLimit + 1)}, false},
		{"it gave this node the role long ago", hearing{condition: serving, turned: true}, rival{since: now, granted: now.Add(-grantLimit)}, true},
	} {
		c.heard.now = now
		if got := c.rival.deaf(&c.heard); got != c.deaf {
			t.Errorf("%s: deaf %v, want %v", c.what, got, c.deaf)
		}
	}
}

// TestANodeThatClaimsBesideAServingPeerGivesUp: without a stream on which to compare ranks. By the stream the higher rank
// decides, and a peer that has given the role serves until its BFD packets say otherwise.
func TestANodeThatClaimsBesideAServingPeerGivesUp(t *testing.T) {
	for _, c := range []struct {
		what    string
		role    ha.Role
		heard   hearing
		granted bool
		want    []ha.Event
	}{
		{"no stream", ha.Claiming, hearing{up: true, condition: serving}, false, []ha.Event{ha.Outranked}},
		{"a stream", ha.Claiming, hearing{up: true, condition: serving, live: true}, false, nil},
		{"a grant", ha.Claiming, hearing{up: true, condition: serving}, true, nil},
		{"a peer that stands by", ha.Claiming, hearing{up: true, condition: standby}, false, nil},
		{"a MASTER, which waits for the stream", ha.Master, hearing{up: true, condition: serving}, false, nil},
		{"a BACKUP", ha.Backup, hearing{up: true, condition: serving}, false, nil},
	} {
		n := fullNode(t)
		n.role, n.grant.pending, n.events = c.role, c.granted, nil
		c.heard.now = n.now
		if n.checkRival(&c.heard); !slices.Equal(n.events, c.want) {
			t.Errorf("%s: %v, want %v", c.what, n.events, c.want)
		}
	}
}

// TestEachWaitForARivalHasItsTimer: the wait for a session to come Up, and that of two MASTERs that hear each other.
func TestEachWaitForARivalHasItsTimer(t *testing.T) {
	const early, late = clock.Instant(1000), clock.Instant(2000)
	for _, c := range []struct{ since, both, want clock.Instant }{
		{clock.Never, clock.Never, clock.Never}, {early, clock.Never, early.Add(hearLimit)}, {clock.Never, early, early.Add(hearLimit)},
		{early, late, early.Add(hearLimit)}, {late, early, early.Add(hearLimit)},
	} {
		r := rival{since: c.since, both: c.both}
		if got := r.deadline(); got != c.want {
			t.Errorf("unheard since %v, both since %v: deadline %v, want %v", c.since, c.both, got, c.want)
		}
	}
}

// TestALostTargetSettlesAnew: the missed probes of an earlier loss say nothing about the peer's probes now.
func TestALostTargetSettlesAnew(t *testing.T) {
	tr := newTracker(Track{Targets: []string{"gw"}, Misses: 2})
	probe := func(answered bool, times int) {
		for range times {
			tr.receive(1, Probe{Target: "gw", Answered: answered})
		}
	}
	for range 2 {
		probe(true, 2)
		probe(false, 2)
		if r := tr.reach(); r.lost == "" || r.settled {
			t.Errorf("just lost: %+v", r)
		}
		probe(false, SettledMisses)
		if r := tr.reach(); !r.settled {
			t.Errorf("lost for %d probes more: %+v", SettledMisses, r)
		}
	}
}

// TestTwoThatServeGetTheirTimeFromTheClaimOn: a node that has heard a peer serve for long claims beside it. The
// sessions and the stream get their time from then on, not from when the peer was first heard to serve. While there is a
// stream, the ranks decide.
func TestTwoThatServeGetTheirTimeFromTheClaimOn(t *testing.T) {
	h := hearing{now: 1000, up: true, condition: serving}
	r := rival{since: clock.Never, both: clock.Never}
	r.observe(&h, false)
	if r.both != clock.Never {
		t.Errorf("both serve since %v, although this node does not", r.both)
	}
	h.live = true
	if r.observe(&h, true); r.both != clock.Never {
		t.Errorf("both serve since %v without a stream, although there is one", r.both)
	}
	h.live, h.now = false, h.now.Add(10*hearLimit)
	r.observe(&h, true)
	if r.both != h.now || r.stands(h.now) || !r.stands(h.now.Add(hearLimit)) {
		t.Errorf("both serve since %v, want %v; stands %v", r.both, h.now, r.stands(h.now))
	}
}

// TestAStandoffBeginsWithTheLossOfTheStream: while the peer speaks on the stream there is no standoff. If its time
// counted from earlier, both nodes would have their turn at once when the stream is lost. The same holds for a node that
// serves beside its peer, until it loses the role.
func TestAStandoffBeginsWithTheLossOfTheStream(t *testing.T) {
	n := Node{now: 1000, role: ha.Backup, standoff: standoff{since: clock.Never}}
	h := hearing{up: true, condition: standby, speaks: true}
	n.checkStandoff(&h)
	if n.standoff.since != clock.Never {
		t.Errorf("a standoff since %v beside a live stream", n.standoff.since)
	}
	h.speaks, n.role = false, ha.Master
	n.checkStandoff(&h)
	if n.standoff.since != clock.Never {
		t.Errorf("a standoff since %v, although this node serves", n.standoff.since)
	}
	n.role, n.now = ha.Backup, 2000
	n.checkStandoff(&h)
	if n.standoff.since != n.now {
		t.Errorf("a standoff since %v, want %v", n.standoff.since, n.now)
	}
}

// TestWhichDoubtEndsALonelyLease: one since the claim, of a peer that does not speak, on paths that have gone down since.
func TestWhichDoubtEndsALonelyLease(t *testing.T) {
	const claimed, down, came = clock.Instant(100), clock.Instant(200), clock.Instant(300)
	for _, c := range []struct {
		name string
		edit func(*Node, *hearing)
		ends bool
	}{
		{"a lonely MASTER is doubted", func(*Node, *hearing) {}, true},
		{"it has no lease", func(n *Node, _ *hearing) { n.lease.held = false }, false},
		{"the peer speaks on the stream", func(_ *Node, h *hearing) { h.speaks = true }, false},
		{"a session is Up", func(n *Node, _ *hearing) { n.rival.since = clock.Never }, false},
		{"no session was Up as it claimed", func(n *Node, _ *hearing) { n.rival.since = claimed }, false},
		{"the doubt came as it claimed", func(n *Node, _ *hearing) { n.paths[0].came, n.rival.since = claimed, claimed+1 }, false},
		{"it was not doubted", func(n *Node, _ *hearing) { n.paths = paths{heardPath(t, came, &stream{}, bfd.Packet{State: bfd.Down})} }, false},
		{"an arbiter decides", func(n *Node, _ *hearing) { n.arbitration.on = true }, false},
	} {
		n := fullNode(t)
		n.lease = lease{held: true, claimed: claimed}
		n.rival.since = down
		n.paths = paths{heardPath(t, came, &stream{}, bfd.Packet{State: bfd.Down, Diag: diagDoubt})}
		h := hearing{now: came, condition: standby}
		if c.edit(n, &h); n.doubtedAlone(&h) != c.ends {
			t.Errorf("%s: ends %v, want %v", c.name, !c.ends, c.ends)
		}
	}
}

// TestWhichPeerHasBegunToServe: one that was heard as standing by, or as unable to serve, on a path on which it serves now.
func TestWhichPeerHasBegunToServe(t *testing.T) {
	const now = clock.Instant(1)
	for said, want := range map[condition]bool{standby: true, unable: true, serving: false} {
		ps := paths{heardPath(t, now, &stream{}, bfd.Packet{State: bfd.Down, Diag: diagOf[said]})}
		ps[0].observe(now, true, false)
		calm := ps[0].calm
		ps[0] = heardPath(t, now, &stream{}, bfd.Packet{State: bfd.Down, Diag: diagOf[serving]})
		ps[0].calm = calm
		ps[0].observe(now, true, false)
		if got := ps.turned(now); got != want {
			t.Errorf("heard as %d, then as serving: turned %v, want %v", said, got, want)
		}
	}
}

// TestAPeerThatServesOnASessionThatIsUp: beside a node that does not serve it has served all along. Beside one that does, it may have ceased
// to hear it, although its session is still Up.
func TestAPeerThatServesOnASessionThatIsUp(t *testing.T) {
	const now = clock.Instant(1)
	for _, holds := range []bool{false, true} {
		p := heardPath(t, now, &stream{}, bfd.Packet{State: bfd.Down}, bfd.Packet{State: bfd.Up, Diag: diagOf[standby]})
		p.observe(now, holds, false)
		calm := p.calm
		p = heardPath(t, now, &stream{}, bfd.Packet{State: bfd.Down}, bfd.Packet{State: bfd.Up, Diag: diagOf[serving]})
		p.calm = calm
		p.observe(now, holds, false)
		if got := (paths{p}).turned(now); got != holds {
			t.Errorf("this node serves %v: the peer has begun to serve %v", holds, got)
		}
	}
}
