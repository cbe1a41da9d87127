// Package compare holds the figures of new runs against those of earlier ones: sets
// of repeats by Mann-Whitney and a least effect, and batches in a row by change
// points. It works on reports alone, so that a stored report.json is as good a
// baseline as the runs themselves. The command line calls it.
package compare

import (
	"math"
	"slices"

	"baton/scenarios/plan"
)

// Alpha is the probability of calling anything different between two sets of runs of
// the same thing, over all their figures together.
const Alpha = 0.01

// Effect is the least relative change of a median that is told; least is what it must
// come to besides, in the metric's unit: below it the clock and the pace of probes decide.
const Effect = 0.05

// metric is a figure that can become worse. All are better if smaller.
type metric struct {
	name  string
	unit  string
	least float64
}

// metrics are those that say how well a failover went; the others (masters,
// sessions, …) only have absolute limits.
var metrics = chosen("detect_ms", "takeover_ms", "handover_ms", "sync_ms", "gap_udp_max_ms", "gap_tcp_p50_ms", "gap_tcp_p99_ms",
	"gap_tcp_max_ms", "rst", "lost", "corrupt", "moved", "connects_failed")

// matters reports whether a change of the median is large enough to be told.
func (m metric) matters(before, after float64) bool {
	diff := math.Abs(after - before)
	return diff >= m.least && diff >= Effect*math.Abs(before)
}

func metricOf(name string) metric {
	return metrics[slices.IndexFunc(metrics, func(m metric) bool { return m.name == name })]
}

func chosen(names ...string) []metric {
	var list []metric
	for _, name := range names {
		m, ok := plan.MetricOf(name)
		if !ok {
			panic("compare: there is no metric " + name)
		}
		if m.Unit == plan.Milliseconds {
			list = append(list, metric{name, "ms", 1})
		} else {
			list = append(list, metric{name, "", 0.5})
		}
	}
	return list
}
