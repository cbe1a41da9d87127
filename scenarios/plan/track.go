package plan

import (
	"strconv"
	"time"

	"baton/scenarios/lab"
)

// noTargets is the value of track.targets that tracks nothing.
const noTargets = "none"

// trackable accepts the hosts and groups that a node can track: those that are not nodes.
func trackable(text string) (string, error) {
	if text == noTargets || text == lab.Clients || text == lab.Backends || numbered(text) {
		return text, nil
	}
	return "", &wrong{message: strconv.Quote(text) + " is not none, backends, clients, or one of their hosts"}
}

// numbered reports whether a name is of a client or a backend: client1, backend2.
func numbered(name string) bool {
	kind, _, ok := lab.ParseName(name)
	return ok && kind != lab.Node
}

// gatewayHost accepts the hosts that may be an arbiter.
func gatewayHost(text string) (string, error) {
	if text == noTargets || numbered(text) {
		return text, nil
	}
	return "", &wrong{message: strconv.Quote(text) + " is not none, a client or a backend"}
}

// Gateway is the host that is the arbiter of a node, "" for none.
func (p *Plan) Gateway(world, node string) string {
	if host := p.Value(world, node, keyGateway); host != noTargets {
		return host
	}
	return ""
}

// Admission is how long a node that has started waits until its gateway has answered often enough; 0
// without a gateway. The node cannot serve before.
func (p *Plan) Admission(world, node string) time.Duration {
	if p.Gateway(world, node) == "" {
		return 0
	}
	every, misses := p.Probes(world, node)
	return time.Duration(misses) * every
}

// Probes returns the interval of a node's tracking probes, and how many results in a row change a
// target's state.
func (p *Plan) Probes(world, node string) (every time.Duration, misses uint8) {
	n, _ := strconv.ParseUint(p.Value(world, node, "track.misses"), 10, 8)
	return p.span(world, node, "track.every"), uint8(n)
}

// Targets lists the hosts that a node tracks in a world.
func (p *Plan) Targets(world, node string) []string {
	what := p.Value(world, node, "track.targets")
	if what == noTargets {
		return nil
	}
	if numbered(what) {
		return []string{what}
	}
	var hosts []string
	for _, h := range p.Topo.Lab().Members(what) {
		hosts = append(hosts, h.Name)
	}
	return hosts
}

// Track is the longest time from the last packet of a tracked host until it counts as lost: one
// answered probe interval and then the missed ones. It is the longer of both nodes' times.
func (p *Plan) Track(world string) time.Duration {
	var longest time.Duration
	for _, node := range nodes {
		misses, _ := strconv.Atoi(p.Value(world, node, "track.misses"))
		longest = max(longest, time.Duration(misses+1)*p.span(world, node, "track.every"))
	}
	return longest
}

// targets checks that the hosts to be tracked exist.
func (l *linter) targets() {
	for _, s := range l.Config {
		if (s.Key == "track.targets" || s.Key == keyGateway) && numbered(s.Value) {
			l.host(s.Pos, s.Value)
		}
	}
}

// ProbesBackends reports whether a node checks the health of the backends.
func (p *Plan) ProbesBackends(world, node string) bool {
	return p.Value(world, node, keyCheck) != checkNone
}
