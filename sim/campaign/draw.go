package campaign

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/plan"
	"baton/sim"
)

// Case is a drawn scenario, with its chaos, and the seed of the world in which it runs.
type Case struct {
	Seed uint64
	Plan *plan.Plan
}

// Phases of a case, on the scenario's clock.
const (
	calm   = 3 * time.Second  // no faults before
	healed = 40 * time.Second // no new faults after
)

// drawing builds the scenario of a seed.
type drawing struct {
	*sim.Random
	text     strings.Builder
	timeline []step
	// lossy: both paths may lose packets, and then two nodes cannot tell a dead peer from lost
	// heartbeats. jumps: a clock steps by more than leaseLeaves, so that a node may claim before
	// its peer's lease has ended.
	lossy, jumps bool
	// garpsLost: announcements may be lost until the end of the run.
	garpsLost bool
	// late: the first packets of a flow may be lost, so it may be opened at any time, also just
	// before its MASTER ends and too late to be replicated.
	late bool
	// unread is the node whose first process cannot read its dataplane.
	unread string
	// cuts are the cuts not healed yet.
	cuts []string
	// core draws the faults that stay for ever.
	core *sim.Random
	// hold is the recovery delay of both nodes.
	hold time.Duration
	// tracks: the nodes track the backends.
	tracks bool
	// gateway is the host that serves as the arbiter, or "".
	gateway string
	// backends is the number of backends.
	backends int
	detect   time.Duration
	// ports holds the port option of the load of services with a port range, by service name.
	ports map[string]string
	// bounded: a limit may refuse a client's new connections.
	bounded bool
	// drained: a backend is drained, which moves its UDP flows.
	drained bool
}

// step is a line of the timeline.
type step struct {
	at   time.Duration
	text string
}

// refresh is more than the interval between a MASTER's repeated announcements: after that time
// lost announcements have been made up for.
const refresh = 12 * time.Second

// connectTime is how long a client tries to connect.
const connectTime = 3 * time.Second

// unansweredMost bounds how many of a few hundred sessions and idle flows may stay unanswered when
// links lose packets.
const unansweredMost = 20

// recovery is how long after the last fault the pair may take to serve again: a node that flapped
// has a longer recovery delay.
func (d *drawing) recovery() time.Duration {
	return max(refresh, plan.HoldFactorMax*d.hold+2*time.Second)
}

func (d *drawing) line(format string, args ...any) { fmt.Fprintf(&d.text, format+"\n", args...) }

func (d *drawing) step(at time.Duration, format string, args ...any) {
	d.timeline = append(d.timeline, step{at.Truncate(time.Millisecond), fmt.Sprintf(format, args...)})
}

// ordered sorts the timeline. Steps of one instant keep their order.
func (d *drawing) ordered() []step {
	slices.SortStableFunc(d.timeline, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return d.timeline
}

// pick returns one of the values.
func pick[T any](d *drawing, values ...T) T { return pickOf(d.Random, values...) }

func pickOf[T any](draw *sim.Random, values ...T) T { return values[draw.Below(len(values))] }

// Draw returns the case of a seed. unsafe turns the gates off, which recreates the historical bug,
// to prove that the campaign finds it. Each feature draws from its own random stream, so that a change
// to one does not change the draws of the others.
func Draw(seed uint64, unsafe bool) (Case, error) {
	d := &drawing{Random: sim.NewRandom(seed, "campaign"), core: sim.NewRandom(seed, "campaign/core"), ports: map[string]string{}}
	gentle := unsafe || d.Chance(0.5)
	d.line("scenario campaign-%d", seed)
	d.topology(unsafe)
	d.services(func(of string) *sim.Random { return sim.NewRandom(seed, "campaign/"+of) })
	d.load(gentle)
	d.limits(sim.NewRandom(seed, "campaign/limits"))
	weather := drawChaos(sim.NewRandom(seed, "campaign/chaos"), pick(d, 0, 0.15, 0.4), gentle)
	weather.slowAtMost(d.detect / slowShare)
	d.gatewayArbiter(sim.NewRandom(seed, "campaign/gateway"), weather, gentle)
	d.arbiter(sim.NewRandom(seed, "campaign/arbiter"), sim.NewRandom(seed, "campaign/policy"), &weather, gentle)
	d.line("%s", weather.text())
	d.track(sim.NewRandom(seed, "campaign/track"), weather, gentle)
	d.pins(sim.NewRandom(seed, "campaign/pins"))
	d.defers(sim.NewRandom(seed, "campaign/defer"))
	d.lossy, d.jumps = weather.lossless() == 0, weather.jumps
	d.late = weather.loses(lab.Clients) || weather.loses(lab.Backends)
	d.garpsLost = !weather.has("until") && weather.has("garp.lost")
	if gentle {
		d.gentle()
	} else {
		d.breakage(sim.NewRandom(seed, "campaign/breakage"))
		d.rough()
		d.damage(sim.NewRandom(seed, "campaign/damage"))
	}
	d.wires(sim.NewRandom(seed, "campaign/wires"), gentle)
	if !gentle {
		d.filters(sim.NewRandom(seed, "campaign/filters"))
	}
	d.drains(sim.NewRandom(seed, "campaign/drain"))
	d.claims(gentle, unsafe)
	for _, s := range d.ordered() {
		d.line("@%s %s", s.at, s.text)
	}
	file := fmt.Sprintf("campaign-%d.scn", seed)
	p, err := plan.Parse(file, []byte(d.text.String()))
	if err == nil {
		p, err = plan.Parse(file, []byte(plan.Print(p))) // so that exactly the printed text is run
	}
	if err != nil {
		return Case{}, fmt.Errorf("campaign: seed %d: %w\n%s", seed, err, d.text.String())
	}
	return Case{Seed: seed, Plan: p}, nil
}

// topology draws the pair and its timers. In one pair of four a node has its own
// RequiredMinRxInterval. The other timers that bound a lease are the same on both nodes, as
// docs/node.md requires: a node that boots next to a frozen MASTER estimates the peer's lease from
// its own timers.
func (d *drawing) topology(unsafe bool) {
	clients := 1 + d.Below(3)
	d.backends = 1 + d.Below(4)
	d.line("topo pair clients=%d backends=%d", clients, d.backends)
	tx, rx, mult := pick(d, 20*time.Millisecond, 50*time.Millisecond, 100*time.Millisecond), pick(d, 20*time.Millisecond, 50*time.Millisecond), pick(d, 3, 3, 4, 5)
	d.line("config bfd.tx=%s bfd.rx=%s bfd.mult=%d", tx, rx, mult)
	d.detect = time.Duration(mult) * max(tx, rx)
	if d.Chance(0.25) {
		d.line("config %s bfd.rx=%s", pick(d, lab.Nodes()...), pick(d, "10ms", "30ms", "70ms"))
	}
	d.hold = pick(d, 200*time.Millisecond, 500*time.Millisecond, time.Second, 2*time.Second)
	d.line("config ha.hold=%s", d.hold)
	preempt := pick(d, "never", "after-sync")
	if unsafe {
		preempt = "immediate"
		d.line("config ha.gates=off")
	}
	d.line("config ha.preempt=%s", preempt)
	if d.Chance(0.3) || unsafe {
		d.line("config %s ha.priority=200", pick(d, lab.Nodes()...))
	}
	if d.Chance(0.2) {
		d.line("config timeouts.fin_wait=%s timeouts.closed=%s", pick(d, "2s", "10s"), pick(d, "1s", "5s"))
	}
}

// services draws two services, and in some cases an SCTP service. Rare features have their own
// random streams: IPv6, least-conn, direct server return, tunnels, their outer family, port ranges.
func (d *drawing) services(stream func(of string) *sim.Random) {
	families, counting, direct, tunnels, outer, ranges := stream("families"), stream("balance"), stream("direct"), stream("tunnels"), stream("outer"), stream("ranges")
	for _, service := range []struct {
		name, proto string
		port        int
	}{{"web", "tcp", 80}, {"dns", "udp", 53}} {
		family, other := lab.IPv4, lab.IPv6
		if families.Chance(ipv6Share) {
			family, other = other, family
		}
		mode, balance, ports, more := pick(d, "fullnat", "dnat"), pick(d, "rr", "maglev"), strconv.Itoa(service.port), ""
		if counting.Chance(leastConnShare) {
			balance = "least-conn"
		}
		if direct.Chance(directShare) {
			mode = plan.ModeDSRL2
			if tunnels.Chance(tunnelShare) {
				mode = plan.ModeDSRIPIP
				if outer.Chance(outerShare) {
					more = " outer=" + strings.ToLower(other.String())
				}
			}
		}
		if to := ranges.Below(8); ranges.Chance(rangeShare) {
			ports, d.ports[service.name] = fmt.Sprintf("%d-%d", service.port, service.port+7), fmt.Sprintf(" port=%d", service.port+to)
		}
		d.line("service %s %s %s:%s mode=%s balance=%s%s", service.name, service.proto, vips[family], ports, mode, balance, more)
	}
	if sctp := stream("sctp"); sctp.Chance(sctpShare) {
		d.line("service gw sctp %s:5000 mode=%s balance=%s", pickOf(sctp, vips[:]...), pickOf(sctp, "fullnat", "dnat", plan.ModeDSRL2, plan.ModeDSRIPIP), pickOf(sctp, "rr", "maglev"))
		d.line("traffic gw sessions sctp service=gw count=%d every=%dms", 2+sctp.Below(20), 50+sctp.Below(450))
	}
}

// vips are the VIPs by family.
var vips = [lab.Families]string{lab.IPv4: "198.18.0.100", lab.IPv6: "[2001:2::100]"}

// Shares of the services with each feature.
const (
	ipv6Share      = 0.25
	leastConnShare = 0.2
	directShare    = 0.15
	tunnelShare    = 0.5 // of the direct ones
	outerShare     = 0.3 // of the tunnelled ones: the outer header has the other family
	sctpShare      = 0.2 // of the cases
	rangeShare     = 0.2
)

// pinShare is the share of cases in which the nodes pin their programs and tables.
const pinShare = 0.3

// pins draws whether the nodes pin their tables.
func (d *drawing) pins(draw *sim.Random) {
	if draw.Chance(pinShare) {
		d.line("config pin=on")
	}
}

// deferShare is the share of cases with sync.defer=established.
const deferShare = 0.25

// defers draws whether the nodes hold back replies until the peer has the flow.
func (d *drawing) defers(draw *sim.Random) {
	if draw.Chance(deferShare) {
		d.line("config sync.defer=established")
	}
}

// track draws the hosts that the nodes track. On a link with loss a node cannot tell a lost probe
// from a failed host and may leave the role to a peer without a table. A gentle case claims that
// no session is lost, so it does not track there.
func (d *drawing) track(draw *sim.Random, weather weather, gentle bool) {
	what := []string{"backends", "backend1", "clients"}[draw.Below(3)]
	every, misses := draw.Between(10*time.Millisecond, 200*time.Millisecond).Truncate(time.Millisecond), 1+draw.Below(5)
	link := lab.Backends
	if what == "clients" {
		link = lab.Clients
	}
	if draw.Chance(trackShare) && !(gentle && weather.loses(link)) {
		d.line("config track.targets=%s", what)
		if d.gateway == "" { // a gateway has set these already
			d.line("config track.every=%s track.misses=%d", every, misses)
		}
		d.tracks = what == "backends"
	}
}

// trackShare is the share of cases in which the nodes track hosts.
const trackShare = 0.25

// load draws the traffic. A gentle case waits for convergence, so it has no short connections: with
// them the two tables are never equal.
func (d *drawing) load(gentle bool) {
	d.line("traffic web sessions tcp service=web count=%d every=%dms%s", 5+d.Below(60), 50+d.Below(450), d.ports["web"])
	d.line("traffic probe probe udp service=dns rate=%d/s%s", 20+d.Below(180), d.ports["dns"])
	if !gentle {
		d.line("traffic new connects tcp service=web rate=%d/s", 1+d.Below(20))
	}
	if d.Chance(0.3) {
		d.line("traffic idle flows %s count=%d", pick(d, "tcp service=web", "udp service=dns"), 10+d.Below(300))
	}
}

// claims writes the claims that must hold for what was drawn. With the gates off the historical bug
// violates them.
func (d *drawing) claims(gentle, unsafe bool) {
	d.line("always announce ; gates ; corrupt == 0")
	d.line("always unanswered <= %d", unansweredMost) // a connect gives up if all its SYNs are lost
	if !unsafe {
		d.line("always served ; rests")
	}
	if !d.jumps {
		d.line("always exclusive ; kept")
	}
	if gentle && !d.lossy && !d.jumps {
		d.line("always masters <= 1 ; rst == 0 ; lost == 0")
		switch {
		case d.late:
		case d.drained:
			d.line("always moved(web) == 0")
		default:
			d.line("always moved == 0")
		}
	}
}
