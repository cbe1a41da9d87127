package plan

import "time"

// How the generators of both worlds open what stands for the whole run.
const (
	// SessionsPerSecond and FlowsPerSecond are the paces: 500 sessions take half a second,
	// 10,000 flows under two.
	SessionsPerSecond = 1000
	FlowsPerSecond    = 8000
	// FlowPasses is how often the datagram of an idle flow without an answer is sent, in
	// passes over all of these; the next pass begins FlowPause after the end of one.
	FlowPasses = 10
	FlowPause  = 300 * time.Millisecond
)
