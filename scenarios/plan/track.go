package plan

import (
	"strconv"
	"time"

	"baton/scenarios/lab"
)

// noTargets is what track.targets is where nothing is tracked.
const noTargets = "none"

// trackable is a host, or a group of hosts, that a node can track: one that is no node.
func trackable(text string) (string, error) {
	if text == noTargets || text == lab.Clients || text == lab.Backends || numbered(text) {
		return text, nil
	}
	return "", &wrong{message: strconv.Quote(text) + " is not none, backends, clients or one of those"}
}

// numbered reports whether a name is that of a client or a backend: client1, backend2.
func numbered(name string) bool {
	kind, _, ok := lab.ParseName(name)
	return ok && kind != lab.Node
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

// Track is the longest time from the last packet of a tracked host to its loss, the
// longer of the two nodes': the probe that was answered, and those that were not.
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
		if s.Key == "track.targets" && numbered(s.Value) {
			l.host(s.Pos, s.Value)
		}
	}
}
