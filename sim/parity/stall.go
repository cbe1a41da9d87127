package parity

import (
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// host is the timing of a run in namespaces: when each step began, and when the machine stalled.
type host struct {
	began  map[string][]clock.Instant
	stalls []pause
}

type pause struct {
	until clock.Instant
	took  time.Duration
}

func hostOf(netns []trace.Event) host {
	h := host{began: map[string][]clock.Instant{}}
	for _, e := range netns {
		switch {
		case e.Step != nil && e.Step.Phase == "begin":
			h.began[e.Step.Text] = append(h.began[e.Step.Text], e.At)
		case e.Stall != nil && e.Stall.Line == "":
			h.stalls = append(h.stalls, pause{e.At, time.Duration(e.Stall.Took)})
		}
	}
	return h
}

// stoodStill returns the longest stall that may explain why a real change differs from the simulated
// one or is missing. It looks from the earlier of the two changes' steps up to the real change, or,
// if that is missing, up to when it was expected.
func (h host) stoodStill(real, simulated *Change) time.Duration {
	from, to := clock.Never, clock.Instant(0)
	if real != nil {
		from, to = real.began, real.began.Add(real.Took)
	}
	if simulated != nil {
		began := h.last(simulated.After, to)
		from = min(from, began)
		if real == nil {
			to = began.Add(simulated.Took)
		}
	}
	longest := time.Duration(0)
	for _, s := range h.stalls {
		if s.until >= from && s.until.Add(-s.took) <= to {
			longest = max(longest, s.took)
		}
	}
	return longest
}

// last returns the latest begin of a step up to an instant, or its first begin if all are later.
func (h host) last(step string, until clock.Instant) clock.Instant {
	found := clock.Never
	for _, at := range h.began[step] {
		if found == clock.Never || at <= until {
			found = at
		}
	}
	return found
}
