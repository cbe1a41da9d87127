package plan

import (
	"slices"

	"baton/scenarios/lab"
)

// idle is a rule for configuration keys that have no effect without another line.
type idle struct {
	keys  []string
	needs string // what is missing
	// met reports whether the plan has what is needed, for a node in a world.
	met func(p *Plan, world, node string) bool
}

// idles is the table of such keys.
var idles = []idle{
	{[]string{keyDefer}, "a service whose replies pass the nodes (mode=fullnat or mode=dnat)", serves(func(s Service) bool { return !s.Direct() })},
	{[]string{"sync.defer_limit"}, keyDefer + "=" + deferEstablished, set(keyDefer)},
	{[]string{KeySNATPorts}, "a service with mode=fullnat", serves(func(s Service) bool { return s.Mode == modeFullNAT })},
	{[]string{keyChallenge}, "a tcp service", serves(Service.tcp)},
	{[]string{"timeouts.direct_fin_wait"}, "a tcp or sctp service with mode=" + ModeDSRL2 + " or mode=" + ModeDSRIPIP, serves(func(s Service) bool { return s.connects() && s.Direct() })},
	{[]string{"timeouts.fin_wait"}, "a tcp or sctp service with mode=fullnat or mode=dnat (for other modes write timeouts.direct_fin_wait)",
		serves(func(s Service) bool { return s.connects() && !s.Direct() })},
	{[]string{"timeouts.syn_sent", "timeouts.established", "timeouts.closed"}, "a tcp or sctp service", serves(Service.connects)},
	{[]string{"timeouts.unreplied", "timeouts.assured"}, "a udp service", serves(func(s Service) bool { return !s.connects() })},
	{[]string{"track.every", "track.misses"}, "track.targets or " + keyGateway, set("track.targets", keyGateway)},
	{[]string{"check.interval", "check.timeout", "check.rise", "check.fall", "check.jitter"}, keyCheck + "=port", set(keyCheck)},
	{[]string{keyPolicy}, keyArbiter, set(keyArbiter)},
}

// serves returns a met function: the plan has a service of that kind.
func serves(of func(Service) bool) func(*Plan, string, string) bool {
	return func(p *Plan, world, _ string) bool {
		return slices.ContainsFunc(p.Services, func(s Service) bool { return s.Guard.In(world) && of(s) })
	}
}

// set returns a met function: one of the keys has a value other than its default.
func set(keys ...string) func(*Plan, string, string) bool {
	return func(p *Plan, world, node string) bool {
		return slices.ContainsFunc(keys, func(key string) bool {
			k, _ := KeyOf(key)
			return p.Value(world, node, key) != k.Default
		})
	}
}

func (s Service) tcp() bool { return s.Proto == TCP }

// connects reports whether the service's protocol has connections.
func (s Service) connects() bool { return s.Proto != UDP }

// idleSettings warns of settings that have no effect in any world in which they are made.
func (l *linter) idleSettings() {
	if l.broken["service"] || l.broken["config"] || l.Value(Netns, "", KeySubject) != referenceSubject {
		return
	}
	for _, s := range l.Config {
		i := slices.IndexFunc(idles, func(i idle) bool { return slices.Contains(i.keys, s.Key) })
		if k, _ := KeyOf(s.Key); i >= 0 && s.Value != k.Default && !l.effective(s, idles[i]) {
			l.warn(s.Pos, "", "%s has no effect: it needs %s; add that, or leave it out", s.Key, idles[i].needs)
		}
	}
}

// effective reports whether a setting has an effect on a node in a world.
func (l *linter) effective(s Setting, rule idle) bool {
	for _, world := range worlds {
		for _, node := range lab.Nodes() {
			if s.Guard.In(world) && (s.Node == "" || s.Node == node) && rule.met(l.Plan, world, node) {
				return true
			}
		}
	}
	return false
}

// pools reports SNAT addresses of a service that uses none.
func (l *linter) pools(s Service) {
	if s.SNAT > 0 && s.Mode != modeFullNAT {
		l.errorf(s.Pos, "snat", "", "service %q: snat has no effect with mode=%s, which keeps the client's address; leave it out, or use mode=%s", s.Name, s.Mode, modeFullNAT)
	}
}
