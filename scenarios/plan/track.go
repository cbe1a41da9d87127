package plan

import (
	"strconv"
	"strings"
	"time"
)

// noTargets is what track.targets is where nothing is tracked.
const noTargets = "none"

// trackable is a host, or a group of hosts, that a node can track: one that is no node.
func trackable(text string) (string, error) {
	if text == noTargets || text == LinkClients || text == LinkBackends || numbered(text) {
		return text, nil
	}
	return "", &wrong{message: strconv.Quote(text) + " is not none, backends, clients or one of those"}
}

// numbered reports whether a name is that of a client or a backend: client1, backend2.
func numbered(name string) bool {
	for _, prefix := range []string{"client", "backend"} {
		if digits, ok := strings.CutPrefix(name, prefix); ok {
			n, err := strconv.Atoi(digits)
			return err == nil && n > 0 && digits == strconv.Itoa(n)
		}
	}
	return false
}

// Targets lists the hosts that a node tracks in a world.
func (p *Plan) Targets(world, node string) []string {
	var hosts []string
	switch what := p.Value(world, node, "track.targets"); what {
	case noTargets:
	case LinkClients:
		hosts = numberedHosts("client", p.Topo.Clients)
	case LinkBackends:
		hosts = numberedHosts("backend", p.Topo.Backends)
	default:
		hosts = []string{what}
	}
	return hosts
}

func numberedHosts(prefix string, count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = prefix + strconv.Itoa(i+1)
	}
	return names
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
