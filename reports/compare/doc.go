// Package compare compares the figures of new runs with those of earlier ones. It compares two sets
// of repeats by the Mann-Whitney test and a minimum effect, and a series of batches by change
// points. It reads reports only, so a stored report.json can be the baseline instead of the runs.
// The command line calls it.
package compare

import (
	"math"

	"baton/scenarios/metric"
)

// Alpha is the probability of reporting any difference between two sets of identical runs, over all
// figures together.
const Alpha = 0.01

// Effect is the smallest relative change of a median that is reported. The change must also reach
// the metric's own Least.
const Effect = 0.05

// metrics are the metrics of failover quality. For all of them smaller is better.
var metrics = metric.Chosen(func(m metric.Metric) bool { return m.Least > 0 })

// unit is "ms", or "" for a count.
func unit(m metric.Metric) string {
	if m.Unit == metric.Count {
		return ""
	}
	return "ms"
}

// matters reports whether a change of the median is large enough to report.
func matters(m metric.Metric, before, after float64) bool {
	diff := math.Abs(after - before)
	return diff >= m.Least && diff >= Effect*math.Abs(before)
}

func metricOf(name string) metric.Metric {
	m, _ := metric.Of(name)
	return m
}
