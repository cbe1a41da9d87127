package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// samples receives a scrape's samples.
type samples chan<- prometheus.Metric

func (s samples) gauge(d *prometheus.Desc, value float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s samples) counter(d *prometheus.Desc, value uint64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
}

// seconds is a counter of a time.
func (s samples) seconds(d *prometheus.Desc, sum time.Duration) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, sum.Seconds())
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func hex(n uint64) string { return strconv.FormatUint(n, 16) }
