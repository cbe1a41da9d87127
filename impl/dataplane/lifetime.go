package dataplane

import (
	"time"

	"baton/impl/flow"
)

// Lifetimes are how long entries outlive their last packet, and affinities their client's
// last new flow.
type Lifetimes struct {
	timeouts   Timeouts
	services   *Finder
	affinities map[flow.Service]time.Duration
}

// NewLifetimes derives the lifetimes from timeouts and services.
func NewLifetimes(t Timeouts, services []Service) *Lifetimes {
	l := &Lifetimes{timeouts: t, services: FinderOf(services), affinities: make(map[flow.Service]time.Duration)}
	for _, s := range services {
		if s.Affinity > 0 {
			l.affinities[s.Service] = s.Affinity
		}
	}
	return l
}

// Of returns the lifetime of an entry in a state; 0 for an affinity of a service without
// affinity.
func (l *Lifetimes) Of(original, reply *flow.Tuple, s flow.State) time.Duration {
	switch {
	case original.IsAffinity():
		return l.affinities[l.services.Of(original)]
	case reply.Unclaimed():
		return l.timeouts.OfDirect(s)
	}
	return l.timeouts.Of(s)
}

// Services returns the finder of the services.
func (l *Lifetimes) Services() *Finder { return l.services }
