package dataplane

import (
	"fmt"
	"strings"
	"time"

	"baton/impl/flow"
)

// Limits bounds the number of flows in the table and of unanswered flows (Embryonic), for the
// whole service and for each source address. 0 means no limit. A closed flow counts until its
// entry is removed.
//
// Sweep counts the flows. Between two sweeps a new flow adds one, an answered flow is no longer
// embryonic, and an ended flow still counts. Replicated entries count from the next Sweep on.
type Limits struct {
	Flows, Embryonic             int
	SourceFlows, SourceEmbryonic int
	// SYNChallenge is the number of embryonic flows of the service from which on a source must
	// answer a challenge before it opens a TCP flow; 0 means never. The answer holds for
	// ValidatedLife.
	SYNChallenge int
}

// ValidatedLife is how long a source that has answered a challenge may open flows of the service
// without another challenge. MaxValidated is the number of such sources remembered per family;
// the oldest is forgotten first.
const (
	ValidatedLife = time.Minute
	MaxValidated  = 1 << 16
)

// MaxLimit is the largest limit.
const MaxLimit = 1 << 28

// Any reports whether a limit is set.
func (l Limits) Any() bool { return l != Limits{} }

func (s Service) validateLimits() error {
	l := s.Limits
	for _, n := range []int{l.Flows, l.Embryonic, l.SourceFlows, l.SourceEmbryonic, l.SYNChallenge} {
		if n < 0 || n > MaxLimit {
			return fmt.Errorf("dataplane: service %q: a limit of %d flows", s.Name, n)
		}
	}
	return nil
}

func (l Limits) String() string {
	var set []string
	for _, limit := range []struct {
		name string
		n    int
	}{{"flows", l.Flows}, {"embryonic", l.Embryonic}, {"source_flows", l.SourceFlows}, {"source_embryonic", l.SourceEmbryonic}, {"syn_challenge", l.SYNChallenge}} {
		if limit.n > 0 {
			set = append(set, fmt.Sprintf("%s %d", limit.name, limit.n))
		}
	}
	if set == nil {
		return "none"
	}
	return strings.Join(set, ", ")
}

// FlowCount is the number of flows of a service or source.
type FlowCount struct{ Flows, Embryonic int }

// FlowCounter identifies a count: of a service or, if Source is set, of one of its sources.
type FlowCounter struct {
	Service flow.Service
	Source  flow.Addr
}

// FlowCounts counts the flows of the services that have limits.
type FlowCounts map[FlowCounter]FlowCount

// Limited returns the services that have limits.
func Limited(services []Service) map[flow.Service]bool {
	limited := make(map[flow.Service]bool)
	for _, s := range services {
		if s.Limits.Any() {
			limited[s.Service] = true
		}
	}
	return limited
}

// Add adds by to the counts of an entry's service, which has limits, and of its source.
func (c FlowCounts) Add(service flow.Service, original *flow.Tuple, s flow.State, by int) {
	if original.IsAffinity() {
		return
	}
	of := FlowCounter{Service: service}
	for _, source := range []flow.Addr{{}, original.Src} {
		of.Source = source
		n := c[of]
		n.Flows += by
		if Embryonic(original, s) {
			n.Embryonic += by
		}
		if n == (FlowCount{}) {
			delete(c, of)
		} else {
			c[of] = n
		}
	}
}
