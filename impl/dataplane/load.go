package dataplane

import "baton/impl/flow"

// IsLoad reports whether an entry counts when LeastConn compares backends: a flow that is not
// over. An affinity is no flow.
func IsLoad(original *flow.Tuple, s flow.State) bool {
	return !original.IsAffinity() && s != flow.Closed
}
