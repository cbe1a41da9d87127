package sim

import (
	"context"
	"fmt"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/ha"
	"baton/impl/trace"
)

// The nodes' own digests cannot prove that their tables are equal: a flow that neither core has
// counted is missing from both. The world therefore compares the dataplanes.

// The tables are compared repeatedly, until updates under way must have arrived: a daemon notices
// lost flow events at its next sweep and then reads its dataplane. So a flow may differ for lookFor. Clients may
// still open one meanwhile, by a SYN that they repeat.
const (
	lookFor   = sweepEvery + 500*time.Millisecond
	lookEvery = 200 * time.Millisecond
)

// compareTables records a leak if the dataplane of a BACKUP that reports to be in sync does not
// hold the same flows as its MASTER's.
func (w *World) compareTables(ctx context.Context) error {
	for found := (differences{}); ; {
		master, backup := w.settledPair()
		if master == nil {
			return nil
		}
		// While the BACKUP still has to read its dataplane, surplus entries are expected.
		found = found.look(w.now, master.flows(), backup.flows(), backup.core.Status().Read.Due)
		if len(found) == 0 {
			return nil
		}
		if lacks, exceeds := found.before(w.now.Add(-lookFor)); lacks+exceeds > 0 {
			w.record(trace.Event{At: w.now, Node: backup.id, Kind: trace.KindLeak, Leak: &trace.Leak{
				What: fmt.Sprintf("reports that it is in sync, but lacks %d of the flows of %s and has %d that %[2]s lacks", lacks, master.id, exceeds)}})
			return nil
		}
		if err := w.run(ctx, w.now.Add(lookEvery), nil); err != nil {
			return err
		}
	}
}

// settledPair returns the MASTER and the BACKUP of a pair that reports to be in sync, else nil. The
// pair is not settled while the MASTER's dataplane refuses entries or while it has to read its
// dataplane after lost events.
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

// flows returns the entries of the dataplane by original tuple.
func (p *process) flows() map[flow.Tuple]flow.Entry {
	held := map[flow.Tuple]flow.Entry{}
	_ = p.dataplane.Dump(func(e flow.Entry) bool { // the model's cannot fail
		held[e.Original] = e
		return true
	})
	return held
}

// differences are the entries of one table that the other lacks or has differently.
type differences map[difference]clock.Instant // since when

type difference struct {
	tuple   flow.Tuple
	surplus bool // the BACKUP's entry, not the MASTER's
}

// look compares two tables once more.
func (d differences) look(now clock.Instant, master, backup map[flow.Tuple]flow.Entry, onlyLacking bool) differences {
	found := differences{}
	compare := func(one, other map[flow.Tuple]flow.Entry, surplus bool) {
		for t, e := range one { // order does not matter
			if o := other[t]; e.Original != o.Original || e.Reply != o.Reply || e.State != o.State {
				key := difference{t, surplus}
				since, known := d[key]
				if !known {
					since = now
				}
				found[key] = since
			}
		}
	}
	compare(master, backup, false)
	if !onlyLacking {
		compare(backup, master, true)
	}
	return found
}

// before counts the differences since at or before an instant.
func (d differences) before(at clock.Instant) (lacks, exceeds int) {
	for key, since := range d { // only counted, so the order does not matter
		switch {
		case since > at:
		case key.surplus:
			exceeds++
		default:
			lacks++
		}
	}
	return lacks, exceeds
}

// falseAlarm records that a scrub repairs a dataplane although no fault has damaged one: either
// the scrub or another part of the node has a bug. missing counts entries that are only in the
// core's table or differ, extra those that are only in the dataplane.
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
