package ctsync

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/flow"
)

// A failure records how a step has failed. The zero failure means that it has not.
type failure struct {
	times   int  // in a row
	waiting bool // for its retry
	retryAt clock.Instant
	why     string // the last time
	refused int    // entries and deletions that the last attempt did not apply, as far as is known
}

func (f *failure) fingerprint(h *fingerprint.Hash) {
	h.Int(f.times)
	h.Flag(f.waiting)
	h.Instant(f.retryAt)
	h.Int(f.refused)
}

// note records another failure of a step with size entries and deletions.
func (f *failure) note(cfg *Config, now clock.Instant, size int, err error) {
	f.times++
	f.waiting, f.retryAt = true, now.Add(backoff(cfg.Retry, cfg.RetryMax, f.times))
	f.why, f.refused = err.Error(), size
	if refused := (*flow.RefusedError)(nil); errors.As(err, &refused) {
		f.why, f.refused = refused.Why, refused.Entries
	}
}

// backoff returns the delay after a number of consecutive failures: it doubles up to longest.
func backoff(first, longest time.Duration, times int) time.Duration {
	delay := first
	for ; times > 1 && delay < longest; times-- {
		delay *= 2
	}
	return min(delay, max(longest, first))
}

// Refusal counts the entries and deletions that a dataplane keeps refusing for one reason.
type Refusal struct {
	Why     string `json:"why"`
	Entries int    `json:"entries"`
}

// refusals lists the entries and deletions that wait for a retry, by reason, most first.
func (q *queue) refusals() []Refusal {
	if q.failures == 0 {
		return nil
	}
	var all []Refusal
	for _, s := range q.steps {
		if s.failure.times == 0 {
			continue
		}
		i := slices.IndexFunc(all, func(r Refusal) bool { return r.Why == s.failure.why })
		if i < 0 {
			i = len(all)
			all = append(all, Refusal{Why: s.failure.why})
		}
		all[i].Entries += s.failure.refused
	}
	slices.SortStableFunc(all, func(a, b Refusal) int { return cmp.Compare(b.Entries, a.Entries) })
	return all
}
