package dataplane

import "baton/impl/flow"

// IsLoad reports whether an entry counts as load of its backend for LeastConn: a flow that has not
// ended. An affinity entry does not count.
func IsLoad(original *flow.Tuple, s flow.State) bool {
	return !original.IsAffinity() && s != flow.Closed
}
