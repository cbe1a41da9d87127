package sim_test

import (
	"testing"

	"baton/impl/ha"
	"baton/impl/node"
	"baton/scenarios/plan"
)

// The windows of the liveness checks know the node's own limits.
func TestRepairKnowsTheNode(t *testing.T) {
	if plan.Patience != node.Patience || plan.HearLimit != node.HearLimit || plan.HoldFactorMax != ha.HoldFactorMax {
		t.Errorf("plan: patience %v, hear limit %v, hold factor %d; node: %v, %v, %d",
			plan.Patience, plan.HearLimit, plan.HoldFactorMax, node.Patience, node.HearLimit, ha.HoldFactorMax)
	}
}
