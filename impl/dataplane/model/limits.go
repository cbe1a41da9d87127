package model

import (
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// limit returns the reason why a flow must not be opened, or noReason. An entry that is opened
// anew is counted already.
func (d *Dataplane) limit(t flow.Tuple, s *service, anew bool) dataplane.Drop {
	reached := func(source flow.Addr, flows, embryonic int) bool {
		is := d.flowCounts[dataplane.FlowCounter{Service: s.Service.Service, Source: source}]
		return flows > 0 && !anew && is.Flows >= flows || embryonic > 0 && is.Embryonic >= embryonic
	}
	switch l := s.Limits; {
	case reached(t.Src, l.SourceFlows, l.SourceEmbryonic): // first: it names the source
		return dataplane.DropSourceLimit
	case reached(flow.Addr{}, l.Flows, l.Embryonic):
		return dataplane.DropServiceLimit
	}
	return noReason
}

// countOpened counts a flow that a packet has opened.
func (d *Dataplane) countOpened(t flow.Tuple, s *service, anew bool) {
	if !s.Limits.Any() {
		return
	}
	for _, of := range d.countersOf(t) {
		is := d.flowCounts[of]
		is.Embryonic++
		if !anew {
			is.Flows++
		}
		d.flowCounts[of] = is
	}
}

// countMoved counts a flow that was answered, or that its backend has opened anew.
func (d *Dataplane) countMoved(t flow.Tuple, from, to flow.State) {
	by := 0
	if dataplane.Embryonic(&t, from) {
		by--
	}
	if dataplane.Embryonic(&t, to) {
		by++
	}
	if by == 0 || len(d.limited) == 0 {
		return
	}
	for _, of := range d.countersOf(t) {
		if is, known := d.flowCounts[of]; known && is.Embryonic+by >= 0 {
			is.Embryonic += by
			d.flowCounts[of] = is
		}
	}
}

// countForLimits counts the flows of the services with limits anew.
func (d *Dataplane) countForLimits() {
	d.flowCounts = make(dataplane.FlowCounts)
	for t, c := range d.conns { // in any order: it only counts
		if s := d.services.Of(&t); d.limited[s] {
			d.flowCounts.Add(s, &t, c.state, 1)
		}
	}
}

// countersOf returns the counters of a flow: its service's and its source's.
func (d *Dataplane) countersOf(t flow.Tuple) [2]dataplane.FlowCounter {
	s := d.services.Of(&t)
	return [2]dataplane.FlowCounter{{Service: s}, {Service: s, Source: t.Src}}
}
