package ctsync

import (
	"fmt"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/flow"
)

// A sink may hold entries that its source never had: it has forwarded while the nodes were
// partitioned, or the MASTER has restarted without a table and forwarded alone. Before the
// sink deletes the entries that the snapshot did not hold, it offers them to the source. The
// source takes those whose tuples are free as changes of its own, so that the sink receives
// them like any other change. Then both tables hold the sessions of both nodes.

// An Offer holds entries for a source's dataplane. The caller writes those that it lacks and
// whose reply tuple no other flow has, and then reports by Worked what the dataplane holds.
type Offer struct {
	place
	index   uint32
	Entries []flow.Entry
}

// offering is the sink's state of its offers.
type offering struct {
	due    bool   // the table may hold entries that the source's lacks
	strays bool   // among them ones that the current round does not cover
	on     bool   // the snapshot has ended, and the remaining entries are being offered
	cursor uint32 // slot at which the offering continues; 0 if all was sent
	sent   uint32 // messages of the round
	worked uint32 // of them, those that the source has processed
}

func (o *offering) fingerprint(h *fingerprint.Hash) {
	h.Flag(o.due)
	h.Flag(o.strays)
	h.Flag(o.on)
	for _, v := range []uint32{o.cursor, o.sent, o.worked} {
		h.Number(uint64(v))
	}
}

func (o *Offer) fingerprint(h *fingerprint.Hash) {
	o.place.fingerprint(h)
	h.Number(uint64(o.index))
	h.Int(len(o.Entries))
	for i := range o.Entries {
		hashEntry(h, &o.Entries[i])
	}
}

// OfferRest makes the sink offer to its source the entries that the next snapshot does not
// hold. It applies until the sink is in sync or becomes the source.
func (e *Engine) OfferRest() { e.offering.due = true }

// stray notes a flow that was opened while this node was the source, and whose event comes
// only now. A snapshot that has not ended covers it, since its offers are still to come.
func (e *Engine) stray() {
	in := &e.intake
	e.apart, e.offering.due = true, true
	e.offering.strays = !in.open || !in.snapshot || in.ended
}

// offersStrays reports whether the sink must ask for a snapshot to offer its strays.
func (e *Engine) offersStrays() bool { return e.offering.strays && e.offersRest() }

// offersRest reports whether this node makes offers to the peer.
func (e *Engine) offersRest() bool { return e.version >= versionOffer && !e.cfg.Withhold }

// Apart reports whether this node has changed its table as source, and no peer in sync has
// acknowledged that.
func (e *Engine) Apart() bool { return e.apart || e.source && e.pos.seq > e.shared }

// beginOffering begins the offers after the first mark of a snapshot, if there are any to make.
func (e *Engine) beginOffering() {
	if o := &e.offering; o.due && e.offersRest() {
		o.on, o.cursor = true, 1
	}
}

// sendOffers offers the entries that are older than the snapshot, as the window allows. The
// sweep begins once the source has processed all of them.
func (e *Engine) sendOffers() {
	in, o := &e.intake, &e.offering
	if !e.stream || !in.open {
		return
	}
	for scanned := 0; o.cursor != 0 && o.sent-o.worked < in.hello.batches; {
		if scanned >= scanStep {
			e.busy = true
			return
		}
		list := e.scratch[:0]
		for ; o.cursor <= e.table.used && len(list) < e.cfg.BatchEntries && scanned < scanStep; o.cursor++ {
			scanned++
			if s := e.table.at(o.cursor); !s.vacant() && s.gen != e.table.gen && e.tells(s) {
				list = append(list, s.change())
			}
		}
		e.scratch = list
		if o.cursor > e.table.used {
			o.cursor = 0
		}
		if len(list) > 0 {
			o.sent++
			e.stats.Offered += uint64(len(list))
			m := offer{place: in.place, index: o.sent, count: len(list)}
			msg := m.encode(e.version)
			for i := range list {
				msg = appendChange(msg, &list[i])
			}
			e.send(msg)
		}
	}
	if o.cursor == 0 && o.worked == o.sent {
		e.offering = offering{}
	}
}

// receiveWorked notes that the source has processed an offer. The resulting changes have
// come before.
func (e *Engine) receiveWorked(r *reader) error {
	var m worked
	if err := m.decode(r); err != nil {
		return err
	}
	if ok, err := e.admit(m.place); !ok {
		return err
	}
	o := &e.offering
	if !o.on || m.index != o.worked+1 || m.index > o.sent {
		return fmt.Errorf("offer %d, after %d of %d", m.index, o.worked, o.sent)
	}
	o.worked = m.index
	return nil
}

// receiveOffer queues the sink's entries for the dataplane.
func (e *Engine) receiveOffer(r *reader) error {
	var m offer
	list, err := m.decode(r, e.scratch)
	if err != nil {
		return err
	}
	e.scratch = list
	f := &e.feed
	switch {
	case !e.ours(m.place):
		return e.outdated()
	case !f.marked:
		return fmt.Errorf("before the round was closed")
	case m.index != f.offered+1:
		return fmt.Errorf("offer %d, expected %d", m.index, f.offered+1)
	case e.unworked(m.place) >= int(f.batches):
		return fmt.Errorf("offer %d is outside the window: %d are not worked in, %d allowed", m.index, e.unworked(m.place), f.batches)
	}
	f.offered = m.index
	o := Offer{place: m.place, index: m.index}
	for i := range list {
		o.Entries = append(o.Entries, list[i].entry(flow.Synced))
	}
	e.offers = append(e.offers, o)
	return nil
}

// unworked counts the unprocessed offers of a round.
func (e *Engine) unworked(p place) (n int) {
	for i := range e.offers {
		if e.offers[i].place == p {
			n++
		}
	}
	return n
}

// dropOffers forgets the offers of an ending round, except the one that the caller is writing: the sink
// still has the entries and offers them in the next round.
func (e *Engine) dropOffers() { e.offers = e.offers[:min(len(e.offers), 1)] }

// Offered returns the next offer to write into the dataplane, if there is one.
func (e *Engine) Offered() (Offer, bool) {
	if len(e.offers) == 0 {
		return Offer{}, false
	}
	return e.offers[0], true
}

// Worked says that the offer from Offered was written, and what the dataplane now holds of
// its flows. That enters the mirror like local changes; entries that the dataplane did not
// take are in neither.
func (e *Engine) Worked(now clock.Instant, held []flow.Event) {
	e.Local(now, held)
	e.stats.Taken += uint64(len(held))
	o := e.offers[0]
	e.offers, e.busy = e.offers[1:], true
	if e.ours(o.place) {
		e.barrier(typeWorked, (&worked{place: o.place, index: o.index}).encode(e.version))
	}
}
