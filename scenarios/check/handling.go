package check

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

// unready measures, after each loss of a MASTER, the time from the survivor's first
// announcement until half of the interrupted sessions have an answer. In that time it attracts
// traffic that it cannot handle yet.
func (r *run) unready(w window) []sample {
	return r.between(r.announced, r.halfAnswered, w)
}

// announced finds the survivor's first gratuitous ARP at the clients' edge.
func (r *run) announced(l loss, life window) (clock.Instant, bool) {
	for _, e := range r.others {
		if e.GARP != nil && e.Node == lab.Peer(l.node) && e.GARP.Edge == lab.Clients && life.has(e.At) {
			return e.At, true
		}
	}
	return 0, false
}

// halfAnswered finds when half of the interrupted sessions that survived a loss had an answer.
func (r *run) halfAnswered(l loss, life window) (clock.Instant, bool) {
	announced, ok := r.announced(l, life)
	if !ok {
		return 0, false
	}
	sessions := r.totals("unready_ms", "")
	answered, lost := map[flowID]clock.Instant{}, map[flowID]bool{}
	for _, e := range r.others {
		if f := e.Traffic; f != nil && f.Event == trace.TrafficLost && life.has(e.At) {
			lost[flowID{f.Name, f.Flow}] = true // a RST does not count as an answer
		}
		g := e.Gap
		if g == nil || !life.has(g.To) || g.From > announced.Add(lull) {
			continue
		}
		if _, is := sessions[g.Name]; !is {
			continue
		}
		id := flowID{g.Name, g.Flow}
		if first, seen := answered[id]; !seen || g.To < first {
			answered[id] = g.To
		}
	}
	maps.DeleteFunc(answered, func(id flowID, _ clock.Instant) bool { return lost[id] })
	if len(answered) == 0 {
		return 0, false
	}
	order := slices.Sorted(maps.Values(answered))
	return order[(len(order)-1)/2], true
}

// lull is the longest time without a packet for which a node still counts as the carrier.
const lull = 100 * time.Millisecond

// dual measures for each VIP and edge how long a node still carried packets after its peer had
// begun to, without having become Master again.
func (r *run) dual(w window) []sample {
	lost := map[string]clock.Instant{} // by place and node: since when the peer carries the packets
	total := map[string]time.Duration{}
	when := map[string][]window{}
	for _, e := range r.others {
		f := e.Forwarder
		if f == nil || !w.has(e.At) {
			continue
		}
		place := fmt.Sprintf("%s at the %s edge", orElse(f.VIP, "the VIP"), f.Edge)
		total[place] += 0
		if f.From == e.Node {
			continue // the end of the capture, not a change
		}
		since, was := lost[place+e.Node]
		underway := crossing + r.plan.Transit(r.meta.World, f.Edge, e.Node)
		if was && e.At > since.Add(underway) && !r.claimed(e.Node, since.Add(-underway), e.At) {
			total[place] += min(e.At.Sub(since), lull)
			when[place] = append(when[place], window{since, e.At})
		}
		lost[place+f.From] = e.At
		delete(lost, place+e.Node)
	}
	var samples []sample
	for _, place := range slices.Sorted(maps.Keys(total)) {
		samples = append(samples, sample{window: w, value: round(milliseconds(total[place])), what: place, blame: when[place]})
	}
	return samples
}
