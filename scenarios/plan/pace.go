package plan

import (
	"time"

	"baton/scenarios/lab"
)

// How the generators of both worlds open sessions and flows.
const (
	// SessionsPerSecond and FlowsPerSecond are how many are opened per second.
	SessionsPerSecond = 1000
	FlowsPerSecond    = 8000
	// FlowPasses is how often a request is sent on an idle flow that gets no answer. Each pass
	// covers all such flows, and begins FlowPause after the end of the last.
	FlowPasses = 10
	FlowPause  = 300 * time.Millisecond
	// ClientPorts is the number of ports of an address of a simulated client. The client has
	// its own address and a part of the guests' addresses.
	ClientPorts = 55_000
	// GuestPorts is the number of ports of a guest's address, from which idle flows come in
	// namespaces. Each line of each client has a part of these addresses.
	GuestPorts = 50_000
)

// room is how many flows a line of traffic may have in a world, over all its clients.
func (p *Plan) room(t Traffic, world string) int {
	clients, senders := p.Topo.Clients, p.senders(t)
	if world == Sim {
		return senders * ClientPorts * (1 + len(lab.IPv4.GuestsOf(0, clients)))
	}
	if t.Kind != Flows {
		return maxCount
	}
	lines := 0
	for _, o := range p.Traffic {
		if o.Guard.In(world) {
			lines++
		}
	}
	return senders * GuestPorts * len(lab.IPv4.GuestsOf(0, clients*max(1, lines)))
}

// senders is the number of clients that a line comes from.
func (p *Plan) senders(t Traffic) int {
	if t.Client != "" {
		return 1
	}
	return p.Topo.Clients
}

// tooMany refuses lines of traffic that need more ports than the clients have. In the simulator
// all lines share the ports.
func (l *linter) tooMany() {
	open := 0
	for _, t := range l.Traffic {
		for _, world := range worlds {
			if !t.Guard.In(world) {
				continue
			}
			count := t.Count
			if world == Sim {
				open += t.Count
				count = open
			}
			if room := l.room(t, world); count > room {
				l.errorf(t.Pos, "count", "", "traffic %q: %d clients have ports for %d flows in [%s], not for %d; use more clients or fewer flows",
					t.Name, l.senders(t), room, world, count)
			}
		}
	}
}
