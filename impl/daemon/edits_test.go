package daemon

import (
	"maps"
	"testing"
)

// A change of the MASTER is applied once: a later local change stays.
func TestAChangeOfTheMasterIsAppliedOnce(t *testing.T) {
	e := newEdits()
	e.follow("web", []byte("theirs"))
	texts, queued := e.pending()
	e.follow("api", []byte("later"))
	e.replace(editSet{texts: texts, queued: queued})
	e.replace(editSet{texts: map[string]string{"web": "ours"}})
	if got, _ := e.pending(); !maps.Equal(got, map[string]string{"web": "ours", "api": "later"}) {
		t.Errorf("%q", got)
	}
}
