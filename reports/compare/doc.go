// Package compare holds the figures of new runs against those of earlier ones: sets
// of repeats by Mann-Whitney and a least effect, and batches in a row by change
// points. It works on reports alone, so that a stored report.json is as good a
// baseline as the runs themselves. The command line calls it.
package compare

import (
	"math"

	"baton/scenarios/metric"
)

// Alpha is the probability of calling anything different between two sets of runs of
// the same thing, over all their figures together.
const Alpha = 0.01

// Effect is the least relative change of a median that is told. What it must come to
// besides is the metric's own Least.
const Effect = 0.05

// metrics are those that say how well a failover went. All are better if smaller.
var metrics = metric.Chosen(func(m metric.Metric) bool { return m.Least > 0 })

// unit is "ms", or "" for a count.
func unit(m metric.Metric) string {
	if m.Unit == metric.Count {
		return ""
	}
	return "ms"
}

// matters reports whether a change of the median is large enough to be told.
func matters(m metric.Metric, before, after float64) bool {
	diff := math.Abs(after - before)
	return diff >= m.Least && diff >= Effect*math.Abs(before)
}

func metricOf(name string) metric.Metric {
	m, _ := metric.Of(name)
	return m
}
