package sim

import (
	"context"
	"fmt"
	"strings"
	"time"

	"baton/impl/flow"
	"baton/impl/ha"
	"baton/impl/trace"
)

// What nodes say of their replicas is their own word: the digest is that of what they
// have counted, and what they never counted is missing from both. The world looks into
// the dataplanes.

// The tables are looked at until what is on its way must have arrived. A daemon notices lost flow events with
// its next sweep, and then reads its dataplane.
const (
	lookFor   = sweepEvery + 500*time.Millisecond
	lookEvery = 200 * time.Millisecond
)

// compareTables puts on record that the dataplane of a BACKUP which says that it is in
// sync does not hold what its MASTER's holds: that is left of the run, or lost in it.
func (w *World) compareTables(ctx context.Context) error {
	for until := w.now.Add(lookFor); ; {
		master, backup := w.settledPair()
		if master == nil {
			return nil
		}
		lacks, exceeds := differ(master.flows(), backup.flows())
		if backup.core.Status().Read.Due {
			exceeds = 0 // it says itself that it may hold more
		}
		if lacks+exceeds == 0 {
			return nil
		}
		if w.now >= until {
			w.record(trace.Event{At: w.now, Node: backup.id, Kind: trace.KindLeak, Leak: &trace.Leak{
				What: fmt.Sprintf("reports that it is in sync, but lacks %d of the flows of %s and has %d that %[2]s lacks", lacks, master.id, exceeds)}})
			return nil
		}
		if err := w.run(ctx, w.now.Add(lookEvery), nil); err != nil {
			return err
		}
	}
}

// settledPair is the MASTER and the BACKUP of a pair that says of itself that all is
// well; nil if it does not. A MASTER whose dataplane refuses entries says so, and so does one
// that has lost events and has not read its dataplane anew.
func (w *World) settledPair() (master, backup *process) {
	for _, p := range w.processes {
		switch {
		case p.core == nil || p.frozen || p.busy():
			return nil, nil
		case p.core.Role() == ha.Master:
			master = p
		case p.core.Role() == ha.Backup && p.core.Status().InSync:
			backup = p
		}
	}
	if master == nil || backup == nil {
		return nil, nil
	}
	if s := master.core.Status(); len(s.Sync.Refused) > 0 || s.Read.Due || s.Digest != backup.core.Status().Digest {
		return nil, nil
	}
	return master, backup
}

// flows is what the dataplane holds.
func (p *process) flows() map[flow.Tuple]flow.Entry {
	held := map[flow.Tuple]flow.Entry{}
	_ = p.dataplane.Dump(func(e flow.Entry) bool { // the model's cannot fail
		held[e.Original] = e
		return true
	})
	return held
}

// differ counts the flows that are not the same in both, by who has them.
func differ(master, backup map[flow.Tuple]flow.Entry) (lacks, exceeds int) {
	same := func(a, b flow.Entry) bool {
		return a.Original == b.Original && a.Reply == b.Reply && a.State == b.State
	}
	for t, e := range master { // in any order: they are counted
		if !same(e, backup[t]) {
			lacks++
		}
	}
	for t, e := range backup { // likewise in any order
		if !same(e, master[t]) {
			exceeds++
		}
	}
	return lacks, exceeds
}

// falseAlarm puts on record that a scrub repairs a dataplane that no fault has damaged: another
// part of the node is wrong, or the scrub is. missing entries are in the table alone or differ,
// extra ones are in the dataplane alone.
func (p *process) falseAlarm(missing, extra int) {
	if p.w.damaged {
		return
	}
	var found []string
	if missing > 0 {
		found = append(found, fmt.Sprintf("%d entries of its table were missing there or differed", missing))
	}
	if extra > 0 {
		found = append(found, fmt.Sprintf("%d entries there were missing from its table", extra))
	}
	p.w.record(trace.Event{At: p.w.now, Node: p.id, Kind: trace.KindLeak, Leak: &trace.Leak{
		What: "repaired its dataplane, which no fault had damaged: " + strings.Join(found, ", and ")}})
}
