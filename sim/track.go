package sim

import (
	"time"

	"baton/impl/node"
	"baton/scenarios/plan"
)

// probeBytes is the size of an ICMP echo request on the wire, without a payload.
const probeBytes = etherLen + ipLen + 8

// probeSalt distinguishes a probe from other packets that leave a host at the same instant.
const probeSalt = 0x1c

// prober probes the hosts that a process tracks, and its gateway. It models the daemon's package
// probe: one round per interval, and an answer counts only within its round.
type prober struct {
	hosts    []uint8
	every    time.Duration
	answered []bool // in the current round
}

func (w *World) newProber(id string) (prober, error) {
	s := settings{plan: w.plan, node: id}
	p := prober{every: s.duration("track.every")}
	hosts := w.plan.Targets(plan.Sim, id)
	if gateway := w.plan.Gateway(plan.Sim, id); gateway != "" {
		hosts = append(hosts, gateway)
	}
	for _, name := range hosts {
		for i := range w.hosts {
			if w.hosts[i].name == name {
				p.hosts = append(p.hosts, uint8(i))
			}
		}
	}
	p.answered = make([]bool, len(p.hosts))
	return p, s.err
}

// track starts to probe. It stops when the daemon of that life ends.
func (p *process) track(life uint64) {
	if len(p.tracked.hosts) > 0 {
		p.probe()
		p.w.at(p.w.now.Add(p.tracked.every), func() { p.round(life) })
	}
}

// round reports the results of the last round and starts the next. A frozen daemon does both after
// the thaw.
func (p *process) round(life uint64) {
	if p.life != life {
		return
	}
	if !p.frozen {
		for i, host := range p.tracked.hosts {
			p.input(life, node.Probe{Target: p.w.hosts[host].name, Answered: p.tracked.answered[i]})
		}
		p.probe()
	}
	p.w.at(p.w.now.Add(p.tracked.every), func() { p.round(life) })
}

func (p *process) probe() {
	for i, host := range p.tracked.hosts {
		p.tracked.answered[i] = p.reaches(host)
	}
}

// reaches reports whether a probe of a host is answered in time.
func (p *process) reaches(host uint8) bool {
	link := uint8(onClients)
	if host >= p.w.firstBack {
		link = onBackends
	}
	there := p.probeTime(link, p.index, host, p.tracked.every)
	back := p.probeTime(link, host, p.index, p.tracked.every)
	return p.powered && !p.w.hosts[host].dark && there+back < p.tracked.every
}

// probeTime returns the one-way delay of a probe, or limit if it is lost.
func (p *process) probeTime(link, from, to uint8, limit time.Duration) time.Duration {
	if p.w.drops(link, from, to, ping) {
		return limit
	}
	c := p.w.cross(link, from, to, uint64(to)<<8|probeSalt, probeBytes, ping)
	if c.copies == 0 {
		return limit
	}
	return c.at[0].Sub(p.w.now)
}
