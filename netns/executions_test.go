package netns

import (
	"testing"

	"baton/scenarios/fault"
)

// TestEveryVerbIsCarriedOut: this world implements every verb of the verb table.
func TestEveryVerbIsCarriedOut(t *testing.T) {
	for _, verb := range fault.Verbs() {
		if (executions[verb.Word] == nil) != (verb.As != "") {
			t.Errorf("%s: nothing carries it out, or both it and %s are", verb.Word, verb.As)
		}
	}
	for verb := range executions {
		if _, ok := fault.Of(verb); !ok {
			t.Errorf("no such verb: %s", verb)
		}
	}
}
