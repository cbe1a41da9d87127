package daemon

import (
	"errors"

	"baton/impl/flow"
)

// write is a pending change of the connection table.
type write struct {
	entries []flow.Entry
	deletes []flow.Tuple
	heals   bool // only what is damaged
	merges  bool // only what the table lacks, or holds damaged
	done    func(error)
}

// apply writes replicated entries and deletions into the dataplane; deletions come first,
// to make room. A scan or a failure can delay a write until after the claim, when packets
// have already made newer state. While the node forwards, such a write overwrites none of
// it.
func (l *loop) apply(w write) {
	if w.heals {
		w.done(l.dp.Heal(w.entries, w.deletes))
		return
	}
	for i := range w.entries {
		l.out.client(w.entries[i].Original.Src)
	}
	if l.node.ServicesDiffer() {
		l.unserved.count(w.entries)
	}
	if w.merges {
		w.done(l.dp.Heal(w.entries, nil))
		return
	}
	if l.mayForward() {
		w.done(l.dp.Merge(w.entries, w.deletes))
		return
	}
	w.done(errors.Join(l.dp.Delete(w.deletes), l.dp.Apply(w.entries)))
}

// mayForward reports whether the dataplane holds an unexpired lease.
func (l *loop) mayForward() bool { return l.driver.Leased() > l.now() }
