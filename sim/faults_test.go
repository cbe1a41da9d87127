package sim

import (
	"testing"

	"baton/scenarios/fault"
)

// TestEveryVerbIsCarriedOut: the table of verbs and this world's executions agree.
func TestEveryVerbIsCarriedOut(t *testing.T) {
	for _, verb := range fault.Words() {
		if executions[verb] == nil {
			t.Errorf("nothing carries out %s", verb)
		}
	}
	for verb := range executions {
		if _, ok := fault.Of(verb); !ok {
			t.Errorf("no such verb: %s", verb)
		}
	}
}
