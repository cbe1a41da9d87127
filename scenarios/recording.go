package scenarios

import (
	"slices"
	"sync"
	"time"

	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/plan"
)

// Recording collects the events of one run and the state that follows from them, for waits and for
// the progress line. It is safe for concurrent use.
type Recording struct {
	mu sync.Mutex
	// chunks hold the events in the order of arrival. Chunks are never reallocated, because a long
	// run records hundreds of thousands of events.
	chunks [][]trace.Event
	state  *check.State
	follow func(trace.Event)
}

// chunkLen is the number of events in a chunk.
const chunkLen = 512

// NewRecording returns an empty recording of the plan in a world.
func NewRecording(p *plan.Plan, world string) *Recording {
	return &Recording{state: check.NewState(p, world)}
}

// Record implements Recorder.
func (r *Recording) Record(e trace.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.chunks) - 1
	if last < 0 || len(r.chunks[last]) == chunkLen {
		r.chunks = append(r.chunks, make([]trace.Event, 0, chunkLen))
		last++
	}
	r.chunks[last] = append(r.chunks[last], e)
	r.state.Apply(&e)
	if r.follow != nil {
		r.follow(e)
	}
}

// Follow calls f with each event recorded from now on. f must be quick and must not call the
// recording.
func (r *Recording) Follow(f func(trace.Event)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.follow = f
}

// Holds reports whether all conditions are true now, with the current state as text.
func (r *Recording) Holds(conds []plan.Cond) (bool, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.HoldAll(conds)
}

// Env evaluates expressions with the present state.
func (r *Recording) Env() plan.Env {
	return func(name string) (time.Duration, bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.state.Env()(name)
	}
}

// Events returns the events recorded so far, by time.
func (r *Recording) Events() []trace.Event {
	r.mu.Lock()
	events := slices.Concat(r.chunks...)
	r.mu.Unlock()
	trace.Sort(events)
	return events
}

// View calls f with the present state. f must not keep it.
func (r *Recording) View(f func(*check.State)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.state)
}
