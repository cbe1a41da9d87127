package ha

// A rule applies if every gate of open is open and, unless shut is empty, at
// least one gate of shut is closed.
type rule struct {
	open, shut Gates
	to         Role
	actions    []Action
	reason     string
	degraded   bool
}

func (r rule) matches(gates Gates) bool {
	return gates.Has(r.open) && (r.shut == 0 || !gates.Has(r.shut))
}

const (
	// healthy is what every role but Init and Fault needs.
	healthy = LinksUp | DataplaneReady
	// able is what a claim needs, however the role became free.
	able = healthy | Reachable | Arbitrated
)

// Promotion is: what was received last takes hold → the epoch rises → forwarding
// is allowed → the node announces. Demotion is: forwarding is forbidden → say so
// → the rest. A node leads before it forwards, so that no flow event finds it a
// follower. A MASTER that yields relays before its lease ends, so that no packet finds
// neither. The order within these lists is a contract; so is the order of the
// rules of one event, of which the first that matches applies.
var (
	claim   = []Action{Install, Tell}
	take    = []Action{RaiseEpoch, Lead, TakeLease}
	lead    = []Action{Announce, Tell}
	demote  = []Action{Release, Tell, Follow, RestartHold}
	fail    = []Action{Release, Tell, Follow} // no RestartHold: the delay begins with the recovery, and one fault is one flap
	yield   = []Action{Relay, Release, Tell, Drain}
	dismiss = []Action{Grant, Tell, Follow} // no RestartHold: who leaves in order has not flapped
	retire  = []Action{Grant, Tell, Follow, RestartHold}
)

// unheard is why a node stops that hears its peer serve: the peer does not hear it.
const unheard = "peer serves and does not hear this node"

var table = [roles][events][]rule{
	Init: {
		GatesChanged: {{open: healthy, to: Backup, actions: []Action{Follow, Tell}, reason: "links and dataplane ready"}},
	},

	Backup: {
		GatesChanged: {
			{shut: healthy, to: Fault, actions: []Action{Tell}, reason: "links or dataplane failed"},
			{open: able | Granted, to: Claiming, actions: claim, reason: "granted by the MASTER"},
			{open: able | NoMaster | HoldDown | InSync, to: Claiming, actions: claim, reason: "no MASTER, table in sync"},
			{open: able | NoMaster | HoldDown | Degraded, to: Claiming, actions: claim,
				reason: "no MASTER, degraded: peer lost before sync was complete", degraded: true},
		},
	},

	Claiming: {
		GatesChanged: {
			{shut: healthy, to: Fault, actions: fail, reason: "links or dataplane failed"},
			{shut: able, to: Backup, actions: demote, reason: "no longer able to serve"},
		},
		Installed:    {{to: Claiming, actions: take, reason: "table installed"}},
		LeaseHeld:    {{to: Master, actions: lead, reason: "forwarding"}},
		LeaseFailed:  {{to: Fault, actions: fail, reason: "dataplane refused the lease"}},
		LeaseExpired: {{to: Backup, actions: demote, reason: "lease expired"}},
		Outranked:    {{to: Backup, actions: demote, reason: "peer is MASTER and ranks above"}},
		Unheard:      {{to: Backup, actions: demote, reason: unheard}},
		StopAsked:    {{to: Backup, actions: demote, reason: "stopping"}},
	},

	Master: {
		GatesChanged: {
			{shut: healthy, to: Fault, actions: fail, reason: "links or dataplane failed"},
			{open: PeerReady, shut: Reachable, to: Yielding, actions: yield, reason: "tracked targets unreachable"},
			{open: PeerAble, shut: Reachable, to: Backup, actions: demote, reason: "tracked targets unreachable, and the role cannot be handed over"},
			{open: PeerReady, shut: Arbitrated, to: Yielding, actions: yield, reason: "gateway unreachable"},
			{open: PeerAble, shut: Arbitrated, to: Backup, actions: demote, reason: "gateway unreachable, and the role cannot be handed over"},
		},
		LeaseFailed:   {{to: Fault, actions: fail, reason: "dataplane refused the lease"}},
		LeaseExpired:  {{to: Backup, actions: demote, reason: "lease expired"}},
		HandoverAsked: {{open: PeerReady, to: Yielding, actions: yield, reason: "handover asked for"}},
		Outranked:     {{to: Backup, actions: demote, reason: "peer is MASTER and ranks above"}},
		Unheard:       {{to: Backup, actions: demote, reason: unheard}},
		Outranks:      {{to: Master, actions: []Action{Announce, Tell}, reason: "peer is MASTER and ranks below: announced again"}},
		StopAsked: {
			{open: PeerReady, to: Yielding, actions: yield, reason: "stopping"},
			{to: Backup, actions: demote, reason: "stopping: no peer to hand over to"},
		},
	},

	Yielding: {
		GatesChanged: {{shut: healthy, to: Fault, actions: fail, reason: "links or dataplane failed"}},
		HandedOver: {
			{shut: Reachable, to: Backup, actions: retire, reason: "handed over: tracked targets unreachable"},
			{shut: Arbitrated, to: Backup, actions: retire, reason: "handed over: gateway unreachable"},
			{to: Backup, actions: dismiss, reason: "handed over"},
		},
		LeaseExpired:   {{to: Backup, actions: demote, reason: "paused while handing over: the peer may have claimed"}},
		HandoverFailed: {{to: Claiming, actions: claim, reason: "handover failed: role taken back"}},
		Outranked:      {{to: Backup, actions: demote, reason: "peer is MASTER and ranks above"}},
		Unheard:        {{to: Backup, actions: demote, reason: unheard}},
		Abandoned:      {{to: Backup, actions: demote, reason: "stopping: nobody took over"}},
	},

	Fault: {
		GatesChanged: {{open: healthy, to: Backup, actions: []Action{Follow, RestartHold, Tell}, reason: "recovered"}},
	},
}
