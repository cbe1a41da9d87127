package testlab

import (
	"slices"
	"sync"
	"testing"

	"github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/trace"
)

// Run runs a package's specs in namespaces, or skips them with the reason.
func Run(t *testing.T, what string) {
	t.Helper()
	if reason := SkipReason(); reason != "" {
		t.Skip(what + " in namespaces: " + reason)
	}
	RegisterFailHandler(ginkgo.Fail)
	ginkgo.RunSpecs(t, what+" in namespaces")
}

// Recording collects events. The zero value is empty; it is safe for concurrent use.
type Recording struct {
	mu     sync.Mutex
	events []trace.Event
}

// Record adds an event.
func (r *Recording) Record(e trace.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// All returns the events in the order of recording.
func (r *Recording) All() []trace.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Of returns the events of one kind, by time.
func (r *Recording) Of(kind trace.Kind) []trace.Event {
	found := slices.DeleteFunc(r.All(), func(e trace.Event) bool { return e.Kind != kind })
	trace.Sort(found)
	return found
}
