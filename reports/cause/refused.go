package cause

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// reasons explains each reason for refusing a flow (docs/trace.md).
var reasons = map[string]string{
	"no-backend":    "it had no backend that takes new flows",
	"no-port":       "no SNAT port was free (snat_pool, snat_ports)",
	"table-full":    "the table was full (max_flows)",
	"service-limit": "the service was at its limit (limits.flows, limits.embryonic)",
	"source-limit":  "their source was at its limit (limits.source_flows, limits.source_embryonic)",
}

// A connect fails some seconds after its first SYN was refused (patience). Refusals are recorded about
// once a second (telling).
const (
	patience = 5 * time.Second
	telling  = 1500 * time.Millisecond
)

// refusal identifies refused flows by node, service and reason.
type refusal struct{ node, service, why string }

// refused finds the most frequent refusal around a connection that was not established. Challenged SYNs
// do not count, because the client repeats them.
func refused(events []trace.Event, harm Harm) (Cause, bool) {
	most, at, count := refusals(events, harm)
	return Cause{at, most.node, fmt.Sprintf("%s refused new flows of %s, because %s", most.node, most.service, reasons[most.why])}, count > 0
}

// Refused counts the flows that the cause of an Unconnected harm refused.
func Refused(events []trace.Event, harm Harm) uint64 {
	_, _, count := refusals(events, harm)
	return count
}

func refusals(events []trace.Event, harm Harm) (most refusal, at clock.Instant, count uint64) {
	counts, first := map[refusal]uint64{}, map[refusal]clock.Instant{}
	// Sessions that never opened are counted at the end, but the first refusals have stopped them.
	until := harm.To.Add(telling)
	for _, e := range events {
		if e.Refused == nil || reasons[e.Refused.Why] == "" || e.At < harm.From.Add(-patience) || e.At > until {
			continue
		}
		until = min(until, e.At.Add(patience+telling))
		r := refusal{e.Node, e.Refused.Service, e.Refused.Why}
		if counts[r] == 0 {
			first[r] = e.At
		}
		if counts[r] += e.Refused.Count; counts[r] > counts[most] {
			most = r
		}
	}
	return most, first[most], counts[most]
}
