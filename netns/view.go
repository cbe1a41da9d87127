package netns

import (
	"sync"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
)

// view is what a capture needs to attribute a RST: each node's role and the latest fault at
// an instant. It is safe for concurrent use.
type view struct {
	mu     sync.Mutex
	roles  map[string][]dated
	faults []dated
	last   map[string]trace.Fault // latest fault of each machine
}

// dated is a value with the instant from which it holds.
type dated struct {
	from clock.Instant
	what string
}

func newView() *view { return &view{roles: map[string][]dated{}, last: map[string]trace.Fault{}} }

func (v *view) note(e trace.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case e.Role != nil && e.Role.From != e.Role.To:
		v.roles[e.Node] = append(v.roles[e.Node], dated{e.At, e.Role.To})
	case e.Fault != nil && e.Fault.Phase == "begin":
		v.faults = append(v.faults, dated{e.At, e.Fault.What()})
		for _, host := range e.Fault.Hosts {
			if fault.LeavesAsIs(e.Fault.Verb) {
				continue
			}
			v.last[host] = *e.Fault
		}
	}
}

// role returns a node's role at an instant; "" if unknown.
func (v *view) role(node string, at clock.Instant) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return lastBefore(v.roles[node], at)
}

// fault returns the last fault that began before an instant; "" if there was none.
func (v *view) fault(at clock.Instant) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return lastBefore(v.faults, at)
}

// gone returns the fault that keeps a machine from acting at present, if there is one.
func (v *view) gone(host string) (trace.Fault, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f, ok := v.last[host]
	return f, ok && fault.Stops(f.Verb)
}

func lastBefore(history []dated, at clock.Instant) string {
	for i := len(history) - 1; i >= 0; i-- {
		if history[i].from <= at {
			return history[i].what
		}
	}
	return ""
}
