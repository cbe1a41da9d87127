package daemon

import (
	"errors"

	"baton/impl/flow"
)

// write is what is to be written into the connection table.
type write struct {
	entries []flow.Entry
	deletes []flow.Tuple
	done    func(error)
}

// apply writes replicated entries and deletions into the dataplane. What is deleted may
// make room for what is added. A write that was asked for before the claim may come to it
// late, behind a scan or a failure, and the packets since then have made newer state than it
// brings: while packets are forwarded it undoes none of that.
func (l *loop) apply(w write) {
	for i := range w.entries {
		l.out.client(w.entries[i].Original.Src)
	}
	if l.node.ServicesDiffer() {
		l.unserved.count(w.entries)
	}
	if l.mayForward() {
		w.done(l.dp.Merge(w.entries, w.deletes))
		return
	}
	w.done(errors.Join(l.dp.Delete(w.deletes), l.dp.Apply(w.entries)))
}

// mayForward reports whether the dataplane holds a lease that has not expired.
func (l *loop) mayForward() bool { return l.driver.Leased() > l.now() }
