package ctsync

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/flow"
)

// world is the model test's state machine: a pair, its possible faults, and a record
// of each source's table after each of its changes.
type world struct {
	*pair
	epoch       uint32
	incarnation uint64
	history     map[position]map[flow.Tuple]flow.Entry
	lost        map[*node]bool // events were lost and no dump has healed it
	dumps       map[*node]*dumping
}

// dumping is a dump of a dataplane that the engine has not received yet.
type dumping struct {
	entries []flow.Entry
	taken   bool
	again   bool // events were lost since its request
}

func newWorld(t *rapid.T) *world {
	cfg := Config{
		BatchEntries: rapid.IntRange(1, 6).Draw(t, "batch"),
		Window:       rapid.IntRange(1, 4).Draw(t, "window"),
		JournalLen:   rapid.SampledFrom([]int{1, 4, 30, 1000}).Draw(t, "journal"),
		Buckets:      64,
		DigestEvery:  rapid.SampledFrom([]time.Duration{100 * time.Millisecond, 5 * time.Second}).Draw(t, "digest every"),
		LagLimit:     rapid.SampledFrom([]uint64{1, 10, 1000}).Draw(t, "lag limit"),
	}
	return &world{
		pair: newPairOf(t, cfg, rapid.SampledFrom(versions).Draw(t, "version")), incarnation: 0x100,
		history: map[position]map[flow.Tuple]flow.Entry{},
		lost:    map[*node]bool{}, dumps: map[*node]*dumping{},
	}
}

func (w *world) node(t *rapid.T) *node {
	if rapid.Bool().Draw(t, "on a") {
		return w.a
	}
	return w.b
}

// record records the current table of a source.
func (w *world) record() {
	for _, n := range []*node{w.a, w.b} {
		if n.source {
			w.history[n.pos] = n.mirror()
		}
	}
}

// actions returns the possible actions, in any order.
func (w *world) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"traffic": func(t *rapid.T) {
			w.traffic(t, w.node(t), rapid.IntRange(1, 12).Draw(t, "events"))
		},
		"traffic on the source": func(t *rapid.T) {
			for _, n := range []*node{w.a, w.b} {
				if n.source {
					w.traffic(t, n, rapid.IntRange(1, 12).Draw(t, "events"))
				}
			}
		},
		"burst": func(t *rapid.T) {
			n := w.node(t)
			first := rapid.IntRange(0, 100).Draw(t, "first flow")
			deleted := rapid.Bool().Draw(t, "delete")
			for i := range rapid.IntRange(20, 100).Draw(t, "flows") {
				n.change(mixedOf(first+i, flow.Established, 11), deleted)
			}
		},
		"poll": func(t *rapid.T) { w.poll(w.node(t)) },
		"lose events": func(t *rapid.T) {
			n := w.node(t)
			if len(n.late) > 0 {
				n.late = nil
				w.lost[n] = true
				if d := w.dumps[n]; d != nil {
					d.again = true
				}
			}
		},
		"ask for a dump": func(t *rapid.T) {
			n := w.node(t)
			w.poll(n)
			n.DumpAsked(w.now)
			w.dumps[n] = &dumping{}
		},
		"dump": func(t *rapid.T) {
			if n := w.node(t); w.dumps[n] != nil {
				w.dumps[n].entries, w.dumps[n].taken = n.dump(), true
			}
		},
		"reconcile": func(t *rapid.T) { w.reconcile(w.node(t)) },
		"deliver": func(t *rapid.T) {
			n := w.node(t)
			for range rapid.IntRange(1, 8).Draw(t, "messages") {
				w.collect()
				w.deliver(n)
				w.record()
			}
		},
		"deliver and apply all": func(t *rapid.T) {
			for range rapid.IntRange(1, 30).Draw(t, "rounds") {
				w.collect()
				w.deliver(w.a)
				w.deliver(w.b)
				w.apply(w.a, 99)
				w.apply(w.b, 99)
				w.record()
			}
		},
		"settle": func(t *rapid.T) {
			if !w.up {
				w.connect()
			}
			w.sleep(time.Duration(rapid.IntRange(0, 1200).Draw(t, "ms")) * time.Millisecond)
		},
		"apply": func(t *rapid.T) { w.apply(w.node(t), rapid.IntRange(1, 5).Draw(t, "batches")) },
		"fail": func(t *rapid.T) {
			w.node(t).fail = rapid.IntRange(1, 3).Draw(t, "batches")
		},
		"refuse everything": func(t *rapid.T) { w.node(t).fail = math.MaxInt },
		"fill a sink": func(t *rapid.T) {
			n := w.node(t)
			w.other(n).fail = math.MaxInt
			first := rapid.IntRange(100, 200).Draw(t, "first flow")
			for i := range 60 {
				n.change(mixedOf(first+i, flow.Established, 11), false)
			}
			w.poll(n)
			for range 20 {
				w.collect()
				w.deliver(n)
				w.deliver(w.other(n))
				w.apply(w.other(n), 99)
			}
			w.record()
		},
		"refuse nothing": func(t *rapid.T) { w.node(t).fail = 0 },
		"pass time": func(t *rapid.T) {
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 6000).Draw(t, "ms")) * time.Millisecond)
			w.a.Advance(w.now)
			w.b.Advance(w.now)
		},
		"cut": func(t *rapid.T) { w.cut() },
		"connect": func(t *rapid.T) {
			if !w.up {
				w.connect()
			}
		},
		"promote": func(t *rapid.T) {
			w.claim(w.node(t))
		},
		"demote": func(t *rapid.T) { w.demote(w.node(t)) },
		"hand over": func(t *rapid.T) {
			n := w.node(t)
			w.demote(w.other(n))
			w.claim(n)
		},
		"restart": func(t *rapid.T) {
			n := w.node(t)
			w.incarnation++
			keep := rapid.Bool().Draw(t, "keep flows")
			w.restart(n, w.incarnation, keep)
			w.lost[n], w.dumps[n] = keep && len(n.flows) > 0, nil
		},
		"": func(t *rapid.T) { w.check() },
	}
}

// traffic changes flows of a node's dataplane.
func (w *world) traffic(t *rapid.T, n *node, events int) {
	for range events {
		state := rapid.SampledFrom([]flow.State{flow.SynSent, flow.Established, flow.FinWait}).Draw(t, "state")
		entry := mixedOf(rapid.IntRange(0, 60).Draw(t, "flow"), state, rapid.ByteRange(11, 12).Draw(t, "backend"))
		n.change(entry, rapid.IntRange(0, 2).Draw(t, "delete") == 0)
	}
}

// poll passes the events on one by one, so that the history has every change.
func (w *world) poll(n *node) {
	events := n.late
	n.late = nil
	for i := range events {
		n.Local(w.now, events[i:i+1])
		w.record()
	}
}

func (w *world) apply(n *node, batches int) {
	for range batches {
		if len(n.batch) > 0 {
			n.applyOne(w.now)
		}
	}
}

// claim makes a node MASTER, after its dataplane has applied everything received.
func (w *world) claim(n *node) {
	w.poll(n)
	n.fail = 0
	for n.Pending() > 0 {
		w.collect()
		w.apply(n, len(n.batch))
		w.now = w.now.Add(n.cfg.Retry)
		n.Advance(w.now)
	}
	w.epoch++
	w.promote(n, w.epoch)
	w.record()
}

// reconcile gives a dump to the engine. Its changes are recorded only as a whole.
func (w *world) reconcile(n *node) {
	d := w.dumps[n]
	if d == nil || !d.taken {
		return
	}
	w.dumps[n] = nil
	w.lost[n] = d.again
	n.Reconcile(w.now, d.entries)
	w.collect()
	for n.recon.loaded {
		w.collect()
	}
	w.record()
}

// check is the invariant: a sink that reports to be in sync has the table that the
// source had after the last change that the sink reports as applied.
func (w *world) check() {
	w.record()
	for _, n := range []*node{w.a, w.b} {
		w.checkProgress(n)
		if len(n.batch) == 0 && n.queue.len() == 0 && len(n.late) == 0 && !w.lost[n] && w.dumps[n] == nil {
			if diff := difference(n.flows, n.mirror()); diff != "" {
				w.t.Fatalf("%s: dataplane and mirror: %s", n.name, diff)
			}
		}
		if ok, _ := n.InSync(); !ok || n.source {
			continue
		}
		if lag := n.pos.seq - n.AppliedSeq(); lag > n.cfg.LagLimit {
			w.t.Fatalf("%s: in sync with a lag of %d", n.name, lag)
		}
		if len(n.late) > 0 || w.lost[n] || n.between() {
			continue
		}
		at := position{n.pos.term, n.AppliedSeq()}
		want, ok := w.history[at]
		if !ok {
			continue // between two changes of one dump
		}
		if diff := difference(w.told(want), n.flows); diff != "" {
			w.t.Fatalf("%s says that it is in sync with %s/%d: %s", n.name, at.term, at.seq, diff)
		}
	}
}

// checkProgress compares the figures for people with InSync.
func (w *world) checkProgress(n *node) {
	p := n.Progress()
	inSync, _ := n.InSync()
	switch {
	case p.Percent < 0 || p.Percent > 100 || p.Entries > max(p.Total, n.Len()):
		w.t.Fatalf("%s: %+v", n.name, p)
	case n.source && (p.Phase == PhaseInSync) != n.PeerInSync():
		w.t.Fatalf("%s: source is in phase %s, peer in sync: %v", n.name, p.Phase, n.PeerInSync())
	case !n.source && p.Phase == PhaseInSync && !inSync:
		w.t.Fatalf("%s: sink is in phase %s and not in sync", n.name, p.Phase)
	}
}

// heal ends all faults and demands that the pair gets in sync.
func (w *world) heal() {
	w.a.fail, w.b.fail = 0, 0
	if w.a.source == w.b.source {
		w.demote(w.b)
		w.claim(w.a)
	}
	if !w.up {
		w.connect()
	}
	for _, n := range []*node{w.a, w.b} {
		if w.lost[n] {
			w.poll(n)
			n.DumpAsked(w.now)
			w.dumps[n] = &dumping{entries: n.dump(), taken: true}
			w.reconcile(n)
		}
	}
	w.sleep(30 * time.Second)
	w.check()
	if w.a.source {
		w.synced(w.a)
	} else {
		w.synced(w.b)
	}
}

// TestModel checks the purpose of the package: whatever happens, InSync is never
// reported for a table that differs from the source's, and once the faults end it is
// reported.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.epoch = 1
		w.master(w.a, 1)
		t.Repeat(w.actions())
		w.heal()
	})
}

// TestNothingIsDueWithoutWork fills all windows of a pair that was in sync: take fails if
// a deadline has passed while there is nothing to do.
func TestNothingIsDueWithoutWork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.epoch = 1
		w.master(w.a, 1)
		w.fill(w.a, 0, 20)
		w.connect()
		w.run()
		w.synced(w.a)
		actions := map[string]func(*rapid.T){}
		for name, do := range w.actions() {
			if slices.Contains([]string{"", "traffic on the source", "fill a sink", "refuse everything", "refuse nothing",
				"poll", "apply", "deliver", "deliver and apply all", "pass time"}, name) {
				actions[name] = do
			}
		}
		t.Repeat(actions)
		w.heal()
	})
}
