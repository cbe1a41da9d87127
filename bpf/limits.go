package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// flowCount counts flows for limits during a sweep.
type flowCount struct {
	limited  map[flow.Service]bool
	services *dataplane.Finder
	counts   dataplane.FlowCounts
}

func (f *family[A]) beginFlowCount() flowCount {
	return flowCount{*f.limited.Load(), f.lifetimes.Load().Services(), make(dataplane.FlowCounts)}
}

func (c flowCount) add(e flow.Entry, by int) {
	if s := c.services.Of(&e.Original); c.limited[s] {
		c.counts.Add(s, &e.Original, e.State, by)
	}
}

// countForLimits counts an entry during a sweep.
func countForLimits[A addr](c flowCount, original *rawTuple[A], s flow.State) {
	if len(c.limited) > 0 {
		c.add(flow.Entry{Original: fromTuple(original), State: s}, 1)
	}
}

// endFlowCount subtracts the entries that the sweep has removed and gives the counts to the
// programs. Flows that the programs added meanwhile may be uncounted until the next sweep.
// Until then a source may have up to twice its limit.
func (f *family[A]) endFlowCount(c flowCount, removed []flow.Entry) error {
	if len(c.limited) == 0 && !f.counting.Load() {
		return nil
	}
	for _, e := range removed {
		c.add(e, -1)
	}
	stale, err := f.staleCounts(c.counts)
	if err != nil {
		return fmt.Errorf("bpf: read counts of flows: %w", err)
	}
	for _, k := range stale {
		if err := f.objs.FlowCounts.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("bpf: remove a count of flows: %w", err)
		}
	}
	if len(c.limited) == 0 {
		f.counting.Store(false)
		return nil
	}
	keys, values := make([]rawCountKey[A], 0, len(c.counts)), make([]rawCount, 0, len(c.counts))
	for of, n := range c.counts {
		if f.has(of.Service.VIP) {
			keys, values = append(keys, toCountKey[A](of)), append(values, rawCount{int32(n.Flows), int32(n.Embryonic)})
		}
	}
	if _, err := f.objs.FlowCounts.BatchUpdate(keys, values, nil); err != nil && len(keys) > 0 {
		return fmt.Errorf("bpf: write counts of flows: %w", err)
	}
	return nil
}

// staleCounts returns the counters of the programs that the sweep did not find.
func (f *family[A]) staleCounts(counts dataplane.FlowCounts) (stale []rawCountKey[A], err error) {
	known := make(map[rawCountKey[A]]bool, len(counts))
	for of := range counts {
		known[toCountKey[A](of)] = true
	}
	batch := batchOf(f.objs.FlowCounts)
	keys, values := make([]rawCountKey[A], batch), make([]rawCount, batch)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := f.objs.FlowCounts.BatchLookup(&cursor, keys, values, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil, err
		}
		for _, k := range keys[:n] {
			if !known[k] {
				stale = append(stale, k)
			}
		}
		if err != nil {
			return stale, nil
		}
	}
}

// toCountKey sets the source to zero for the counter of a whole service.
func toCountKey[A addr](of dataplane.FlowCounter) rawCountKey[A] {
	s := toServiceKey[A](of.Service)
	k := rawCountKey[A]{VIP: s.VIP, Port: s.Port, Last: s.Last, Proto: s.Proto}
	if of.Source != (flow.Addr{}) {
		k.Source = toAddr[A](of.Source)
	}
	return k
}
