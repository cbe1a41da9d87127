package check

import (
	"time"

	"baton/impl/trace"
	"baton/scenarios/metric"
)

// measure has the functions that measure a metric.
type measure struct {
	// over samples it over a window, for one line of traffic or for all.
	over func(r *run, line string, w window) []sample
	// now is its present value, counted since the State was made; nil for a metric that has
	// no value before the end of the run.
	now func(s *State, line string) (float64, bool)
}

// measures has the measure of each metric of package metric.
var measures = map[string]measure{
	"masters":         {over: ofPair((*run).masters), now: counted((*State).Masters)},
	"forwarders":      {over: ofPair((*run).forwarders), now: counted((*State).Forwarders)},
	"rst":             {over: ofPair((*run).rst), now: counted(func(s *State) int { return s.Tally.RST })},
	"lost":            {over: events("lost"), now: tallied("lost", func(t *Tally) map[string]int { return t.Lost })},
	"corrupt":         {over: events("corrupt"), now: tallied("corrupt", func(t *Tally) map[string]int { return t.Corrupt })},
	"moved":           {over: events("moved"), now: tallied("moved", func(t *Tally) map[string]int { return t.Moved })},
	"connects_failed": {over: events("connects_failed"), now: tallied("connects_failed", func(t *Tally) map[string]int { return t.Refused })},
	"incomplete":      {over: events("incomplete"), now: tallied("incomplete", func(t *Tally) map[string]int { return t.Lost })},
	"unanswered":      {over: (*run).unanswered},
	"unechoed":        {over: (*run).unechoed},
	"sessions":        standing("sessions", (*State).open),
	"verified":        standing("verified", (*State).verified),
	"gap":             {over: quantile("gap", 1), now: (*State).longestGap},
	"gap_udp_max_ms":  {over: quantile("gap_udp_max_ms", 1)},
	"gap_tcp_p50_ms":  {over: quantile("gap_tcp_p50_ms", 0.50)},
	"gap_tcp_p99_ms":  {over: quantile("gap_tcp_p99_ms", 0.99)},
	"gap_tcp_max_ms":  {over: quantile("gap_tcp_max_ms", 1)},
	"rtt_p50_ms":      {over: roundTrip("rtt_p50_ms", func(t trace.Totals) float64 { return t.RTTp50 })},
	"rtt_p99_ms":      {over: roundTrip("rtt_p99_ms", func(t trace.Totals) float64 { return t.RTTp99 })},
	"rtt_max_ms":      {over: roundTrip("rtt_max_ms", func(t trace.Totals) float64 { return t.RTTMax })},
	"detect_ms":       {over: ofPair(func(r *run, w window) []sample { return r.latencies(r.lastDown, w) })},
	"takeover_ms":     {over: ofPair(func(r *run, w window) []sample { return r.latencies(r.nextMaster, w) })},
	"handover_ms":     {over: ofPair((*run).handovers)},
	"unready_ms":      {over: ofPair((*run).unready)},
	"dual_ms":         {over: ofPair((*run).dual)},
	"restore_gap_ms":  {over: ofPair((*run).afterRestore)},
	"sync_ms": {over: synced(func(s *trace.Sync) float64 {
		return round(milliseconds(time.Duration(s.Took)))
	})},
	"sync_entries": {over: synced(func(s *trace.Sync) float64 { return float64(s.Entries) }), now: (*State).syncEntries},
	"dropped":      {over: ofPair(func(r *run, w window) []sample { return r.packetsLost(true, w) }), now: counted(func(s *State) int { return s.Tally.Dropped })},
	"strays":       {over: ofPair(func(r *run, w window) []sample { return r.packetsLost(false, w) }), now: counted(func(s *State) int { return s.Tally.Strays })},
	"exit":         {over: (*run).exits},
	"role_changes": {over: ofPair((*run).roleChanges), now: counted(func(s *State) int { return s.Tally.RoleChanges })},
}

// ofPair ignores the line of traffic: the metric concerns the pair.
func ofPair(over func(*run, window) []sample) func(*run, string, window) []sample {
	return func(r *run, _ string, w window) []sample { return over(r, w) }
}

func events(metric string) func(*run, string, window) []sample {
	return func(r *run, line string, w window) []sample { return r.counted(metric, line, w) }
}

// quantile measures the flows' longest gaps.
func quantile(metric string, share float64) func(*run, string, window) []sample {
	return func(r *run, line string, w window) []sample { return r.gaps(metric, share, line, w) }
}

func roundTrip(metric string, of func(trace.Totals) float64) func(*run, string, window) []sample {
	return func(r *run, line string, w window) []sample { return r.roundTrips(metric, of, line, w) }
}

// standing measures a present count of traffic.
func standing(name string, of func(*State, trace.Totals) int) measure {
	return measure{
		over: func(r *run, line string, w window) []sample { return r.standing(name, of, line, w) },
		now:  func(s *State, line string) (float64, bool) { return float64(s.standing(name, of, line)), true },
	}
}

func synced(value func(*trace.Sync) float64) func(*run, string, window) []sample {
	return func(r *run, _ string, w window) []sample { return r.syncs(value, w) }
}

func counted(count func(*State) int) func(*State, string) (float64, bool) {
	return func(s *State, _ string) (float64, bool) { return float64(count(s)), true }
}

// tallied sums a tally over the lines of traffic that yield the metric, or returns that of one
// line.
func tallied(name string, counts func(*Tally) map[string]int) func(*State, string) (float64, bool) {
	return func(s *State, line string) (float64, bool) {
		m, _ := metric.Of(name)
		sum := 0
		for of, n := range counts(&s.Tally) { // in any order: a sum
			if (line == "" || line == of) && yields(m, s.kind(of)) {
				sum += n
			}
		}
		return float64(sum), true
	}
}

func (s *State) longestGap(line string) (float64, bool) {
	var longest time.Duration
	for name, gap := range s.Tally.Gap { // in any order: the longest
		if line == "" || line == name {
			longest = max(longest, gap)
		}
	}
	return milliseconds(longest), true
}

func (s *State) syncEntries(string) (float64, bool) {
	entries, ok := 0, false
	for _, n := range s.Live() {
		if n.InSync {
			entries, ok = max(entries, n.Sync.Entries), true
		}
	}
	return float64(entries), ok
}
