package node

// What the limits of a node come to, for whoever has to know how long a pair may need.
const (
	// Patience is how long a node waits at most for answers that do not come, each
	// once: on a new stream, of a handover, of a grant, of what is to be installed. A table
	// is given where no handover is possible, because the peer is not in sync.
	Patience = muteLimit + max(yieldLimit+grantLimit, giveLimit) + installLimit
	// HearLimit is how long two nodes that can hear each other may take to do so.
	HearLimit = hearLimit
)
