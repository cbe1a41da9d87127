package sim

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/latency"
	"baton/scenarios/plan"
)

// line is one traffic line of the plan with its running totals.
type line struct {
	plan.Traffic
	service   service
	senders   []uint8 // indexes of its clients
	threshold time.Duration
	totals    trace.Totals
	trips     latency.Histogram
	stretches latency.Stretches
}

// received counts an answer to a message: when it was to be sent, and when the answer arrived.
func (l *line) received(intended, at clock.Instant) { l.answered(intended, at, answerLen) }

func (l *line) answered(intended, at clock.Instant, bytes uint64) {
	l.totals.Received++
	l.totals.Bytes += bytes
	l.trips.Add(at.Sub(intended))
	l.stretches.Add(at, at.Sub(intended))
}

func (w *World) newLine(t plan.Traffic) (*line, error) {
	if t.Kind == plan.Probe && t.Rate == 0 {
		t.Rate = defaultProbe
	}
	if t.Kind == plan.Sessions && t.Every == 0 {
		t.Every = defaultPeriod
	}
	l := &line{Traffic: t, threshold: gapTCP, totals: trace.Totals{Name: t.Name, Kind: t.Kind, Proto: t.Proto}}
	if t.Proto == "udp" {
		l.threshold = gapUDP
	}
	for _, h := range w.hosts[2:w.firstBack] {
		if t.Sends(h.name) {
			l.senders = append(l.senders, h.index)
		}
	}
	for _, s := range w.services {
		if s.Name == t.Service {
			l.service = s
			l.service.Port = t.PortOf(s.Service)
			return l, nil
		}
	}
	return nil, fmt.Errorf("sim: traffic %s: no service %q", t.Name, t.Service)
}

func (w *World) recordTotals(l *line, final bool) {
	t := l.totals
	t.Final = final
	if l.trips.Count() > 0 {
		q := l.trips.Quantiles(0.50, 0.99)
		t.RTTp50, t.RTTp99, t.RTTMax = milliseconds(q[0]), milliseconds(q[1]), milliseconds(l.trips.Max())
	}
	until := w.now
	if final {
		until = clock.Never
	}
	t.Latency = l.stretches.Take(until)
	w.record(trace.Event{At: w.now, Kind: trace.KindTotals, Totals: &t})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
