package daemon

import (
	"maps"
	"testing"
)

// A change of the MASTER is applied once: a later local change stays.
func TestAChangeOfTheMasterIsAppliedOnce(t *testing.T) {
	e := &edits{texts: map[string]string{}, ready: make(chan struct{}, 1)}
	e.follow("web", []byte("theirs"))
	e.replace(e.take())
	e.replace(map[string]string{"web": "ours"})
	if got, want := e.take(), map[string]string{"web": "ours"}; !maps.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
