package scenarios

import (
	"sync"
	"time"

	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/plan"
)

// Recording collects the events of one run and keeps the state that they add up
// to, for waits and for the progress line. It is safe for concurrent use.
type Recording struct {
	mu     sync.Mutex
	events []trace.Event
	state  *check.State
}

// NewRecording returns an empty recording of the plan in a world.
func NewRecording(p *plan.Plan, world string) *Recording {
	return &Recording{state: check.NewState(p, world)}
}

// Record implements Recorder.
func (r *Recording) Record(e trace.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	r.state.Apply(e)
}

// Holds reports whether all conditions hold at this moment, and what is the case.
func (r *Recording) Holds(conds []plan.Cond) (bool, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.HoldAll(conds)
}

// Env gives expressions their values at this moment.
func (r *Recording) Env() plan.Env {
	return func(name string) (time.Duration, bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.state.Env()(name)
	}
}

// Events returns what was recorded so far, by time.
func (r *Recording) Events() []trace.Event {
	r.mu.Lock()
	events := append([]trace.Event(nil), r.events...)
	r.mu.Unlock()
	trace.Sort(events)
	return events
}

// View calls f with the state of this moment; f must not keep it.
func (r *Recording) View(f func(*check.State)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.state)
}
