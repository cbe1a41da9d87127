package ha

import "fmt"

// Event is what may move a node from one role to another.
type Event uint8

const (
	// GatesChanged: a gate opened or closed; the role is to be judged anew.
	GatesChanged Event = iota
	// Installed: the deltas received last have taken hold in the dataplane.
	Installed
	// LeaseHeld: the dataplane forwards.
	LeaseHeld
	// LeaseFailed: the dataplane refused the lease.
	LeaseFailed
	// LeaseExpired: the lease ran out before it was renewed; this node was paused.
	LeaseExpired
	// HandoverAsked: the operator, or the synced preferred peer, asks for the role.
	HandoverAsked
	// HandedOver: nothing is forwarded any more and the peer has applied all there was.
	HandedOver
	// HandoverFailed: the peer did not get there in time, or is gone.
	HandoverFailed
	// Outranked: the peer is MASTER too and ranks above this node.
	Outranked
	// Unheard: the peer has taken the role and does not hear this node.
	Unheard
	// Outranks: the peer is MASTER too and ranks below this node.
	Outranks
	// StopAsked: the process is to end.
	StopAsked
	// Abandoned: the process is to end and nobody took over in time.
	Abandoned
	events
)

var eventNames = [events]string{"GatesChanged", "Installed", "LeaseHeld", "LeaseFailed", "LeaseExpired",
	"HandoverAsked", "HandedOver", "HandoverFailed", "Outranked", "Unheard", "Outranks", "StopAsked", "Abandoned"}

func (e Event) String() string {
	if e < events {
		return eventNames[e]
	}
	return fmt.Sprintf("Event(%d)", uint8(e))
}

// Events returns all events in order.
func Events() []Event {
	all := make([]Event, events)
	for i := range all {
		all[i] = Event(i)
	}
	return all
}

// Action is what a node does because of a transition. The actions of one
// transition are carried out in their order.
type Action uint8

const (
	// Release forbids forwarding, at once.
	Release Action = iota
	// Relay makes the dataplane forward packets that arrive without a lease to the peer.
	Relay
	// Install waits until every delta received has taken hold, then raises Installed.
	Install
	// RaiseEpoch makes the epoch larger than any that was seen.
	RaiseEpoch
	// TakeLease allows forwarding, then raises LeaseHeld or LeaseFailed.
	TakeLease
	// Announce starts a burst of gratuitous ARPs for all VIPs.
	Announce
	// Lead makes this node's table the truth that is replicated.
	Lead
	// Follow makes this node a receiver of the peer's table.
	Follow
	// Drain sends the peer what is left and raises HandedOver or HandoverFailed.
	Drain
	// Grant gives the role to the peer.
	Grant
	// Tell sends the peer this node's role and rank.
	Tell
	// RestartHold starts the recovery delay anew.
	RestartHold
	actions
)

var actionNames = [actions]string{"Release", "Relay", "Install", "RaiseEpoch", "TakeLease", "Announce", "Lead", "Follow",
	"Drain", "Grant", "Tell", "RestartHold"}

func (a Action) String() string {
	if a < actions {
		return actionNames[a]
	}
	return fmt.Sprintf("Action(%d)", uint8(a))
}

// Reason says why a transition was made, or refused.
type Reason struct {
	Text string
	// Refused is the closed gate because of which the role stayed as it was, 0 if
	// nothing was refused.
	Refused Gates
	// Degraded marks a claim with a table that is knowingly incomplete.
	Degraded bool
}

func (r Reason) String() string {
	if r.Refused != 0 {
		return r.Text + ": " + r.Refused.String()
	}
	return r.Text
}

// Next is the only place where a role changes. It is total: every role, event
// and set of gates has an answer. Where the role stays, Reason says whether the
// event did not concern it or which gate refused.
func Next(role Role, event Event, gates Gates) (Role, []Action, Reason) {
	if role >= roles || event >= events {
		return role, nil, Reason{Text: "not a role or not an event"}
	}
	for _, r := range table[role][event] {
		if r.matches(gates) {
			return r.to, r.actions, Reason{Text: r.reason, Degraded: r.degraded}
		}
	}
	switch {
	case role == Backup && event == GatesChanged:
		return role, nil, Reason{Text: "claim refused", Refused: firstClosed(gates, able|NoMaster|HoldDown|InSync)}
	case role == Master && event == HandoverAsked:
		return role, nil, Reason{Text: "handover refused", Refused: firstClosed(gates, PeerReady)}
	}
	return role, nil, Reason{Text: "does not concern this role"}
}

// firstClosed names the first of the needed gates that is closed.
func firstClosed(gates, needed Gates) Gates {
	for gate := range needed.Each() {
		if !gates.Has(gate) {
			return gate
		}
	}
	return 0
}
