// Package metrics exports a node to Prometheus. Gauges come from its status at each scrape;
// counters of events come from its trace. The package never changes anything.
package metrics

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"baton/impl/daemon/control"
	"baton/impl/trace"
)

// namespace is the prefix of every metric.
const namespace = "baton"

// Source returns the status of the node.
type Source func(context.Context) (control.Status, error)

// Metrics is the registry of one node.
type Metrics struct {
	registry *prometheus.Registry

	roleChanges *prometheus.CounterVec
	refusals    *prometheus.CounterVec
	gateChanges *prometheus.CounterVec
	bfdChanges  *prometheus.CounterVec
	announced   prometheus.Counter
}

// New returns the metrics of the node with this source of statuses. build names the node's
// build.
func New(source Source, lateBounds []time.Duration, build string) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry:    prometheus.NewRegistry(),
		roleChanges: counter("role_changes_total", "Changes of the node's role.", "from", "to", "reason"),
		refusals:    counter("claims_refused_total", "Claims of the MASTER role, and handovers, that a gate refused.", "gate"),
		gateChanges: counter("gate_changes_total", "Times that a gate opened, closed, or was closed for another reason.", "gate", "to"),
		bfdChanges:  counter("bfd_state_changes_total", "Changes of a BFD session's state.", "path", "from", "to"),
		announced: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "announcements_total",
			Help: "Times that gratuitous ARPs were sent for all VIPs."}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "The node's build, always 1.",
		ConstLabels: prometheus.Labels{"version": build, "goversion": runtime.Version()}})
	info.Set(1)
	m.registry.MustRegister(
		info,
		m.roleChanges, m.refusals, m.gateChanges, m.bfdChanges, m.announced,
		newCollector(source, lateBounds),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Observe counts an event of the node's trace.
func (m *Metrics) Observe(e trace.Event) {
	switch e.Kind {
	case trace.KindRole:
		if e.Role.Refused != "" {
			m.refusals.WithLabelValues(e.Role.Refused).Inc()
		} else {
			m.roleChanges.WithLabelValues(e.Role.From, e.Role.To, e.Role.Reason).Inc()
		}
	case trace.KindGate:
		to := "closed"
		if e.Gate.Open {
			to = "open"
		}
		m.gateChanges.WithLabelValues(e.Gate.Name, to).Inc()
	case trace.KindBFD:
		m.bfdChanges.WithLabelValues(e.BFD.Path, e.BFD.From, e.BFD.To).Inc()
	case trace.KindAnnounce:
		m.announced.Inc()
	}
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
