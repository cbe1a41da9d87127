package ctsync

import (
	"time"

	"baton/impl/clock"
)

// Phases of Progress.
const (
	PhaseIdle     = "idle"     // nobody to sync with
	PhaseHello    = "hello"    // the hello is unanswered, or the source has received none
	PhaseSnapshot = "snapshot" // rows are being sent
	PhaseLive     = "live"     // following, not verified yet
	PhaseInSync   = "insync"
	PhaseLost     = "lost" // the stream was lost
)

// Progress is the progress of the sync, as either node sees it.
type Progress struct {
	Phase   string
	Entries int     // received rows while a snapshot runs, then the sink's entries
	Total   int     // entries of the source, as far as is known
	Percent float64 // of the snapshot; 100 if none is running
	Lag     uint64  // changes that the sink has not applied
	Rate    float64 // entries applied per second at the sink
	Digest  string  // unknown, equal, unequal
	Why     string
	Took    time.Duration // from the stream's beginning to the first InSync on it

	// Refused counts what this node's dataplane keeps refusing, by reason, most first.
	// None of it counts as applied.
	Refused []Refusal `json:",omitempty"`
	// PeerCapacity is how many flows the peer's table can hold; 0 if unknown.
	PeerCapacity int
	// Warning says which part of the peer's configuration endangers the sync.
	Warning string
}

// Progress returns the progress of the sync.
func (e *Engine) Progress() Progress {
	p := e.progress()
	switch {
	case p.Phase == PhaseLost:
		p.Why = e.why
	case !e.source:
		_, why := e.InSync()
		p.Why = why.String()
	}
	if !e.source {
		p.Rate = e.meter.rate(e.now)
	}
	p.Refused, p.PeerCapacity, p.Warning = e.queue.refusals(), int(e.capacity.peer), e.Warning()
	return p
}

// Stage returns the phase and the percentage of the snapshot: the part of Progress
// that is cheap enough for each step.
func (e *Engine) Stage() (phase string, percent float64) {
	p := e.progress()
	return p.Phase, p.Percent
}

// progress is Progress without its texts and the rate.
func (e *Engine) progress() Progress {
	if e.source {
		return e.sourceProgress()
	}
	in := &e.intake
	p := Progress{
		Phase: e.sinkPhase(e.synced()), Entries: e.table.len(), Total: e.table.len(), Percent: 100,
		Digest: "unknown", Took: e.took,
	}
	switch {
	case in.verified:
		p.Digest = "equal"
	case in.open && in.ended:
		p.Digest = "unequal"
	}
	if in.open {
		p.Lag = e.lag()
	}
	if in.open && in.snapshot && !in.ended {
		p.Entries, p.Total = in.entries, max(in.total, in.entries)
	}
	if !in.verified {
		p.Percent = percent(p.Entries, p.Total, in.open && (in.ended || !in.snapshot))
	}
	return p
}

func (e *Engine) sinkPhase(inSync bool) string {
	in := &e.intake
	switch {
	case !e.stream && e.lostAt.Before(clock.Never):
		return PhaseLost
	case in.waiting:
		return PhaseHello
	case in.open && in.snapshot && !in.ended:
		return PhaseSnapshot
	case in.open && inSync:
		return PhaseInSync
	case in.open:
		return PhaseLive
	}
	return PhaseIdle
}

func (e *Engine) sourceProgress() Progress {
	f := &e.feed
	p := Progress{Phase: PhaseIdle, Total: e.table.len(), Digest: "unknown", Took: e.took}
	switch {
	case !e.stream && e.lostAt.Before(clock.Never):
		p.Phase = PhaseLost
	case !e.stream || e.peer.source:
	case !f.open:
		p.Phase = PhaseHello
	case f.cursor != 0:
		p.Phase, p.Entries, p.Total = PhaseSnapshot, f.entries, max(f.total, f.entries)
	case e.PeerInSync():
		p.Phase, p.Entries, p.Digest = PhaseInSync, e.table.len(), "equal"
	default:
		p.Phase, p.Entries = PhaseLive, e.table.len()
	}
	if f.open {
		p.Lag = e.pos.seq - f.acked
		p.Percent = percent(p.Entries, p.Total, f.cursor == 0)
	}
	return p
}

// stopwatch notes when the sink was first in sync on the present stream.
func (e *Engine) stopwatch(inSync bool) {
	if inSync && e.took == 0 {
		e.took = e.now.Sub(e.upAt)
	}
}

// percent returns the percentage of a snapshot that is transferred; 100 if complete.
func percent(entries, total int, complete bool) float64 {
	switch {
	case complete:
		return 100
	case total == 0:
		return 0
	}
	return 100 * float64(entries) / float64(total)
}

// meterPeriod is the time over which a rate is measured.
const meterPeriod = time.Second

// A meter measures entries applied per second: over the last whole period or, before
// the first has ended, since the round began.
type meter struct {
	since clock.Instant
	n     int
	last  float64
	full  bool
}

func (m *meter) begin(now clock.Instant) { *m = meter{since: now} }

func (m *meter) count(now clock.Instant, n int) {
	m.roll(now)
	m.n += n
}

func (m *meter) roll(now clock.Instant) {
	if elapsed := now.Sub(m.since); elapsed >= meterPeriod {
		*m = meter{since: now, last: float64(m.n) / elapsed.Seconds(), full: true}
	}
}

func (m meter) rate(now clock.Instant) float64 {
	m.roll(now)
	elapsed := now.Sub(m.since)
	if m.full || elapsed <= 0 {
		return m.last
	}
	return float64(m.n) / elapsed.Seconds()
}
