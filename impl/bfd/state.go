package bfd

import "strconv"

// State is bfd.SessionState, with the values of the State field (RFC 5880 section 4.1).
type State uint8

const (
	AdminDown State = iota // held down by its owner
	Down                   // no connectivity, or just created
	Init                   // the peer is heard, but does not hear us yet
	Up                     // both directions work
)

func (s State) String() string {
	switch s {
	case AdminDown:
		return "AdminDown"
	case Down:
		return "Down"
	case Init:
		return "Init"
	case Up:
		return "Up"
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// Diag is a diagnostic code: why a session last changed its state (RFC 5880 section 4.1).
type Diag uint8

const (
	DiagNone                        Diag = iota
	DiagDetectionTimeExpired             // no control packet came for a Detection Time
	DiagEchoFailed                       // echo packets did not return
	DiagNeighborDown                     // the peer signalled Down or AdminDown
	DiagForwardingPlaneReset             // the local forwarding state is gone
	DiagPathDown                         // something outside BFD says that the path failed
	DiagConcatenatedPathDown             // a path behind the peer failed towards us
	DiagAdminDown                        // the owner took the session down
	DiagReverseConcatenatedPathDown      // a path behind the peer failed away from us
)

var diagNames = [...]string{
	"No Diagnostic",
	"Control Detection Time Expired",
	"Echo Function Failed",
	"Neighbor Signaled Session Down",
	"Forwarding Plane Reset",
	"Path Down",
	"Concatenated Path Down",
	"Administratively Down",
	"Reverse Concatenated Path Down",
}

// String returns the name in IANA's registry of BFD diagnostic codes.
func (d Diag) String() string {
	if int(d) < len(diagNames) {
		return diagNames[d]
	}
	return "Diag(" + strconv.Itoa(int(d)) + ")"
}

// next is the state machine of RFC 5880 section 6.8.6 for a received State. It
// returns the state to be in and, where the session goes down, the diagnostic.
// AdminDown is left only by the session's owner.
func next(local, received State) (State, Diag) {
	switch {
	case local == AdminDown:
		return AdminDown, DiagNone
	case received == AdminDown && local != Down:
		return Down, DiagNeighborDown
	case local == Down && received == Down:
		return Init, DiagNone
	case local == Down && received == Init:
		return Up, DiagNone
	case local == Init && (received == Init || received == Up):
		return Up, DiagNone
	case local == Up && received == Down:
		return Down, DiagNeighborDown
	}
	return local, DiagNone
}
