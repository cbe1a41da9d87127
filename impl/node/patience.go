package node

// Limits for a caller that has to know how long a pair may need.
const (
	// Patience is the longest time that a node waits for answers that do not come: on a new
	// stream, for a handover, for a grant, for an installation, each once. A node gives its
	// table only if no handover is possible, because the peer is not in sync.
	Patience = muteLimit + max(yieldLimit+grantLimit, giveLimit) + installLimit
	// HearLimit is how long two nodes that can hear each other may take to bring a session
	// Up.
	HearLimit = hearLimit
)
