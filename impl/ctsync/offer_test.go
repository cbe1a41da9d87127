package ctsync

import (
	"testing"

	"baton/impl/flow"
)

// apartPair returns a pair in which each node has been source without the other: a with flows
// 0 to 39 and, since the cut, 100 to 119; b with 0 to 39 and, since the cut, 200 to 209. Both
// nodes are sinks, and the stream is still cut.
func apartPair(t *testing.T, version uint8) *pair { return apartBy(t, version, 20) }

// apartBy is apartPair with a given number of a's own flows.
func apartBy(t *testing.T, version uint8, flows int) *pair {
	p := newPairOf(t, small, version)
	p.master(p.a, 1)
	p.fill(p.a, 0, 40)
	p.connect()
	p.run()
	p.synced(p.a)
	p.cut()
	p.fill(p.a, 100, 100+flows)
	p.run()
	p.promote(p.b, 2)
	p.fill(p.b, 200, 210)
	p.run()
	if !p.a.Apart() || !p.b.Apart() {
		t.Fatal("a node that has served apart does not say so")
	}
	p.demote(p.a)
	return p
}

// A node that has forwarded during a partition loses none of its flows to its peer's table.
func TestASinkOffersWhatItsSourceLacks(t *testing.T) {
	p := apartPair(t, Version)
	p.a.OfferRest()
	p.connect()
	p.run()
	p.synced(p.b)
	if p.a.Len() != 70 {
		t.Errorf("%d flows, want those of both: 70", p.a.Len())
	}
	if p.a.stats.Offered != 20 || p.b.stats.Taken != 20 {
		t.Errorf("%d offered, %d taken, want the 20 that b lacks", p.a.stats.Offered, p.b.stats.Taken)
	}
	if p.a.Apart() || p.b.Apart() {
		t.Error("nodes with equal tables are not apart")
	}
}

// A sink does not offer flows that its source cannot carry: such an offer would end the stream.
func TestASinkOffersWhatItsSourceCanCarry(t *testing.T) {
	p := newPairOf(t, small, versionSCTP-1)
	p.master(p.a, 1)
	p.connect()
	p.run()
	p.synced(p.a)
	p.cut()
	for i := 1; i <= 20; i++ {
		p.a.change(mixedOf(i, flow.Established, 11), false)
	}
	p.run()
	p.promote(p.b, 2)
	p.fill(p.b, 200, 210)
	p.run()
	p.demote(p.a)
	p.a.OfferRest()
	p.connect()
	p.run()
	p.synced(p.b)
	if p.b.Len() != 24 || p.a.stats.Offered != 14 || p.b.stats.Taken != 14 {
		t.Errorf("%d flows, %d offered, %d taken, want the source's 10 and the 14 that are neither of SCTP nor across families", p.b.Len(), p.a.stats.Offered, p.b.stats.Taken)
	}
}

// A single flow suffices: a sink with any change beyond the base of its source's term does not
// resume from there, because a repair would delete the flow.
func TestASinkOffersASingleFlow(t *testing.T) {
	p := apartBy(t, Version, 1)
	p.a.OfferRest()
	p.connect()
	p.run()
	p.synced(p.b)
	if p.a.Len() != 51 || p.b.stats.Taken != 1 {
		t.Errorf("%d flows, %d taken, want those of both, 51, and the 1 that b lacked", p.a.Len(), p.b.stats.Taken)
	}
}

// A sink that was not told to offer, or whose peer does not support offers, takes its source's table.
func TestASinkThatDoesNotOfferFollows(t *testing.T) {
	for _, version := range []uint8{versionOffer - 1, Version} {
		p := apartPair(t, version)
		if version < versionOffer {
			p.a.OfferRest()
		}
		p.connect()
		p.run()
		p.synced(p.b)
		if p.a.Len() != 50 || p.a.stats.Offered != 0 {
			t.Errorf("version %d: %d flows, %d offered, want the source's 50 and no offer", version, p.a.Len(), p.a.stats.Offered)
		}
	}
}

// A flow that the source has opened since its snapshot wins over an offer with the same
// original or reply tuple.
func TestAnOfferOverwritesNothing(t *testing.T) {
	p := apartPair(t, Version)
	p.a.OfferRest()
	p.onSend = func(from *node, msg []byte) {
		if from == p.a && msg[0] == typeOffer {
			p.onSend = nil
			p.b.change(entryOf(100, flow.FinWait, 12), false)
			taken := entryOf(300, flow.Established, 11)
			taken.Reply = entryOf(101, 0, 11).Reply
			p.b.change(taken, false)
			p.b.poll(p.now)
		}
	}
	p.connect()
	p.run()
	p.synced(p.b)
	if p.onSend != nil {
		t.Fatal("nothing was offered")
	}
	if got := p.a.flows[entryOf(100, 0, 11).Original]; got.State != flow.FinWait {
		t.Errorf("flow 100 is %v, want the source's", got)
	}
	if _, ok := p.a.flows[entryOf(101, 0, 11).Original]; ok {
		t.Error("flow 101 is in the table, although another flow has its reply tuple")
	}
	if p.a.Len() != 70 {
		t.Errorf("%d flows, want 70: 71 and one that was refused", p.a.Len())
	}
}

// An offered entry stays in the sink's table until the source has it: a stream that ends at
// any message of the exchange loses nothing.
func TestAnOfferSurvivesTheLossOfTheStream(t *testing.T) {
	for after := 1; after < 40; after++ {
		p := apartPair(t, Version)
		p.a.OfferRest()
		p.connect()
		for range after {
			p.collect()
			p.deliver(p.a)
			p.deliver(p.b)
			for _, n := range []*node{p.a, p.b} {
				for len(n.batch) > 0 {
					n.applyOne(p.now)
				}
			}
			if after%2 == 0 {
				p.b.workOffers(p.now)
			}
		}
		p.cut()
		p.run()
		union := map[flow.Tuple]bool{}
		for _, n := range []*node{p.a, p.b} {
			for tuple := range n.flows {
				union[tuple] = true
			}
		}
		if len(union) != 70 {
			t.Fatalf("cut after %d messages: %d flows on either node, want 70", after, len(union))
		}
		p.connect()
		p.run()
		p.synced(p.b)
		if p.a.Len() != 70 {
			t.Fatalf("cut after %d messages: %d flows, want 70", after, p.a.Len())
		}
	}
}

// toOffer runs the pair until b has got an offer.
func (p *pair) toOffer() {
	for len(p.b.offers) == 0 {
		p.collect()
		p.deliver(p.a)
		p.deliver(p.b)
		for len(p.a.batch) > 0 {
			p.a.applyOne(p.now)
		}
	}
}

// The reason why a node is not in sync names the offer, and then the sweep.
func TestASinkSaysThatItOffers(t *testing.T) {
	p := apartPair(t, Version)
	p.a.OfferRest()
	p.connect()
	p.toOffer()
	if ok, why := p.a.InSync(); ok || why.String() != "offering the MASTER the entries that it lacks" {
		t.Errorf("in sync: %v, because of %q", ok, why)
	}
	p.run()
	p.synced(p.b)
}

// A dump from before an offer was written does not undo the offer.
func TestAReconciliationSparesAnOffer(t *testing.T) {
	p := apartPair(t, Version)
	p.a.OfferRest()
	p.connect()
	p.toOffer()
	p.b.DumpAsked(p.now)
	dump := p.b.dump()
	p.b.workOffers(p.now)
	p.b.Reconcile(p.now, dump)
	p.run()
	p.synced(p.b)
	if p.a.Len() != 70 {
		t.Errorf("%d flows, want 70", p.a.Len())
	}
}

// A source that loses the role before an offer was processed does not count it: the mirror
// equals the dataplane.
func TestAnOfferThatIsNotWorkedInIsNotInTheMirror(t *testing.T) {
	p := apartPair(t, Version)
	p.a.OfferRest()
	p.connect()
	p.toOffer()
	p.b.SetSink(p.now)
	if diff := difference(p.b.flows, p.b.mirror()); diff != "" {
		t.Errorf("mirror differs from dataplane: %s", diff)
	}
}

// For a flow that the source's dataplane held but its mirror did not know, the dataplane's
// entry wins.
func TestAnOfferFindsAFlowWhoseEventWasLost(t *testing.T) {
	p := apartPair(t, Version)
	lost := entryOf(100, flow.FinWait, 12)
	p.b.flows[lost.Original] = lost
	p.a.OfferRest()
	p.connect()
	p.run()
	p.synced(p.b)
	if got := p.a.flows[lost.Original]; got.State != lost.State || got.Reply != lost.Reply {
		t.Errorf("the sink holds %+v, want %+v", got, lost)
	}
}

// An offer out of order or beyond the window, or a Worked message about an offer that was not
// made, resets the stream and changes nothing.
func TestInvalidOffersResetTheStream(t *testing.T) {
	p := inSyncPair(t, small, 10)
	row := changeOf(entryOf(50, flow.Established, 11))
	for want, m := range map[string]offer{
		"offer 2, expected 1": {place: p.b.intake.place, index: 2, count: 1},
		"expected 1":          {place: p.b.intake.place, index: 0, count: 1},
	} {
		refused(t, p.a.Engine, appendChange(m.encode(Version), &row), want)
	}
	for i := range small.Window {
		m := offer{place: p.b.intake.place, index: uint32(i + 1), count: 1}
		if err := p.a.Receive(p.now, appendChange(m.encode(Version), &row)); err != nil {
			t.Fatal(err)
		}
	}
	m := offer{place: p.b.intake.place, index: uint32(small.Window + 1), count: 1}
	refused(t, p.a.Engine, appendChange(m.encode(Version), &row), "is outside the window")
	w := worked{place: p.b.intake.place, index: 1}
	refused(t, p.b.Engine, w.encode(Version), "offer 1, after 0 of 0")
}

// A source's changes count as shared once a sink in sync has acknowledged them: the acks of a
// sink that is still receiving the table prove nothing about the rest.
func TestASinkThatIsNotInSyncSharesNothing(t *testing.T) {
	p := apartPair(t, Version)
	acks, shared := 0, 0
	p.onRecv = func(to *node, msg []byte) {
		if to == p.b && msg[0] == typeAck && !p.b.PeerInSync() {
			acks++
			if !p.b.Apart() {
				shared++
			}
		}
	}
	p.a.OfferRest()
	p.connect()
	p.run()
	p.synced(p.b)
	if acks < 2 || shared > 0 {
		t.Errorf("after %d of %d acks of a sink that was not in sync the source's table counts as shared", shared, acks)
	}
}

// Acknowledgements of one term say nothing about the next.
func TestEachTermIsSharedAnew(t *testing.T) {
	p := inSyncPair(t, small, 40)
	p.master(p.b, 2)
	p.run()
	p.master(p.a, 3)
	p.run()
	p.synced(p.a)
	p.cut()
	p.fill(p.a, 100, 105)
	p.run()
	if !p.a.Apart() {
		t.Error("5 flows were opened alone, and the table counts as shared: 40 of an earlier term were")
	}
}

// A sink that is in sync or has become source owes no more offers: flows that the next
// snapshot lacks have ended at the source.
func TestAnOfferIsOwedOnce(t *testing.T) {
	for name, paid := range map[string]func(*pair){
		"is in sync": func(p *pair) {
			p.connect()
			p.run()
			p.synced(p.a)
		},
		"has been source": func(p *pair) {
			p.master(p.b, 2)
			p.connect()
			p.run()
			p.synced(p.b)
			p.cut()
			p.master(p.a, 3)
		},
	} {
		p := inSyncPair(t, small, 10)
		p.cut()
		p.b.OfferRest()
		paid(p)
		p.cut()
		for i := range 5 {
			p.a.change(entryOf(i, flow.Established, 11), true)
		}
		p.fill(p.a, 100, 100+2*small.JournalLen) // so that b takes a snapshot
		p.run()
		p.connect()
		p.run()
		p.synced(p.a)
		if p.b.stats.Offered > 0 || p.a.stats.Taken > 0 {
			t.Errorf("a sink that %s: %d flows that had ended were offered, %d were taken", name, p.b.stats.Offered, p.a.stats.Taken)
		}
	}
}

// A round that begins before the offers of the previous one were processed has its own window, and the
// same entries are offered again.
func TestARoundBeginsBeforeItsOffersAreWorkedIn(t *testing.T) {
	for late := range 30 { // messages of the new round before the source processes an offer
		p := apartPair(t, Version)
		p.a.OfferRest()
		p.connect()
		p.toOffer()
		p.a.change(entryOf(500, flow.Established, 11), false)
		p.a.poll(p.now)
		for range late {
			p.collect()
			p.deliver(p.b)
			p.deliver(p.a)
			p.a.apply(p.now)
		}
		if n := len(p.b.offers); n > p.b.cfg.Window+1 {
			t.Errorf("%d offers wait, the window is %d", n, p.b.cfg.Window)
		}
		p.run()
		p.synced(p.b)
		if p.b.Len() != 71 {
			t.Errorf("after %d messages: %d flows, want those of both, 71", late, p.b.Len())
		}
	}
}
