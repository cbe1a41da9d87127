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

// apply writes replicated entries and deletions into the dataplane.
func (l *loop) apply(w write) {
	for i := range w.entries {
		l.out.client(w.entries[i].Original.Src)
	}
	entries, deletes, err := w.entries, w.deletes, error(nil)
	if l.mayForward() {
		entries, deletes, err = l.sparingLive(entries, deletes)
	}
	w.done(errors.Join(err, l.dp.Apply(entries), l.dp.Delete(deletes)))
}

// mayForward reports whether the dataplane holds a lease that has not expired.
func (l *loop) mayForward() bool { return l.driver.Leased() > l.now() }

// sparingLive returns what may still be written while packets are forwarded. A write
// that was asked for before the claim may come to it late, behind a scan or a failure,
// and the packets since then have made newer state than it brings: an entry that is in
// the table stays as it is, and of those to delete only one that this node has not
// opened itself is deleted. What is missing is still written.
func (l *loop) sparingLive(entries []flow.Entry, deletes []flow.Tuple) ([]flow.Entry, []flow.Tuple, error) {
	var missing []flow.Entry
	var replicated []flow.Tuple
	var failed error
	for i := range entries {
		_, found, err := l.dp.Lookup(entries[i].Original)
		if failed = errors.Join(failed, err); err == nil && !found {
			missing = append(missing, entries[i])
		}
	}
	for _, tuple := range deletes {
		entry, found, err := l.dp.Lookup(tuple)
		if failed = errors.Join(failed, err); err == nil && found && entry.Origin == flow.Synced {
			replicated = append(replicated, tuple)
		}
	}
	return missing, replicated, failed
}
