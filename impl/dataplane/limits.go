package dataplane

import (
	"fmt"
	"strings"
	"time"

	"baton/impl/flow"
)

// Limits bounds the flows of a service: those in the table, and those that nobody has answered
// (Embryonic), of the whole service and of each source address. 0 is no limit. A closed flow
// counts until its entry is removed.
//
// Sweep counts the flows. Between two sweeps each new flow adds one, one that is answered is no
// longer embryonic, and one that ends takes none away. So replicated entries count from the
// next Sweep on.
type Limits struct {
	Flows, Embryonic             int
	SourceFlows, SourceEmbryonic int
	// SYNChallenge is how many flows of the service may be embryonic before a source that opens
	// another TCP flow has to answer a challenge; 0 is never. The answer holds for
	// ValidatedLife.
	SYNChallenge int
}

// ValidatedLife is how long a source that has answered a challenge opens flows of the service
// without another one. MaxValidated is how many such sources each family remembers; an old one
// makes room.
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

// FlowCount is how many flows a service or a source has.
type FlowCount struct{ Flows, Embryonic int }

// FlowCounter is what a count is of: a service, or, if Source is set, a source of it.
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

// Add counts an entry of a service with limits by times.
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
