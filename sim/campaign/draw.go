package campaign

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/plan"
	"baton/sim"
)

// Case is what a seed stands for: a scenario, chaos and all, and the seed of the
// world in which it runs.
type Case struct {
	Seed uint64
	Plan *plan.Plan
}

// Phases of a case, on the scenario's clock.
const (
	calm   = 3 * time.Second // after the beginning
	healed = 40 * time.Second
)

// drawing writes the scenario of a seed.
type drawing struct {
	*sim.Random
	text     strings.Builder
	timeline []step
	// lossy: both paths may lose packets, and two nodes alone cannot tell a dead peer from
	// a lost one. jumps: a clock jumps by more than a lease leaves, so that one waits for
	// less than the detection time.
	lossy, jumps bool
	// garpsLost: announcements may be lost to the end.
	garpsLost bool
	// late: a flow's first packets may be lost, so that it is opened at any time: also too late
	// for its MASTER, which ends at that instant, to replicate it.
	late bool
	// unread is the node that cannot read its dataplane as long as its first process runs.
	unread string
	// cuts are those that are not healed.
	cuts []string
	// core draws what stays for ever.
	core *sim.Random
	// hold is the recovery delay of both nodes.
	hold time.Duration
	// tracks says that the nodes track the backends.
	tracks bool
}

// step is a line of the timeline.
type step struct {
	at   time.Duration
	text string
}

// refresh is within what time a MASTER announces again, with something to spare: by
// then announcements that were all lost have been made up for.
const refresh = 12 * time.Second

// connectTime is how long a client tries to connect.
const connectTime = 3 * time.Second

// unansweredMost is how many of some hundred sessions and idle flows may have no answer
// where links lose packets.
const unansweredMost = 20

// recovery is how long after the last fault the pair may need to serve again: a node
// that flapped waits for a lengthened recovery delay.
func (d *drawing) recovery() time.Duration {
	return max(refresh, plan.HoldFactorMax*d.hold+2*time.Second)
}

func (d *drawing) line(format string, args ...any) { fmt.Fprintf(&d.text, format+"\n", args...) }

func (d *drawing) step(at time.Duration, format string, args ...any) {
	d.timeline = append(d.timeline, step{at.Truncate(time.Millisecond), fmt.Sprintf(format, args...)})
}

// pick returns one of the values.
func pick[T any](d *drawing, values ...T) T { return pickOf(d.Random, values...) }

func pickOf[T any](draw *sim.Random, values ...T) T { return values[draw.Below(len(values))] }

// Draw returns the case of a seed. unsafe turns the gates off, which recreates
// the historical bug: it shows that the campaign can see it.
func Draw(seed uint64, unsafe bool) (Case, error) {
	d := &drawing{Random: sim.NewRandom(seed, "campaign"), core: sim.NewRandom(seed, "campaign/core")}
	gentle := unsafe || d.Chance(0.5)
	d.line("scenario campaign-%d", seed)
	d.topology(unsafe)
	d.services(sim.NewRandom(seed, "campaign/families"), sim.NewRandom(seed, "campaign/balance"))
	d.load(gentle)
	weather := drawChaos(sim.NewRandom(seed, "campaign/chaos"), pick(d, 0, 0.15, 0.4), gentle)
	d.arbiter(sim.NewRandom(seed, "campaign/arbiter"), &weather, gentle)
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
	d.claims(gentle, unsafe)
	slices.SortStableFunc(d.timeline, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	for _, s := range d.timeline {
		d.line("@%s %s", s.at, s.text)
	}
	file := fmt.Sprintf("campaign-%d.scn", seed)
	p, err := plan.Parse(file, []byte(d.text.String()))
	if err == nil {
		p, err = plan.Parse(file, []byte(plan.Print(p))) // what is run is what is printed, word for word
	}
	if err != nil {
		return Case{}, fmt.Errorf("campaign: seed %d: %w\n%s", seed, err, d.text.String())
	}
	return Case{Seed: seed, Plan: p}, nil
}

// topology draws the pair and its timers. In one pair of four a node has a
// RequiredMinRxInterval of its own. What else bounds a lease is the same on both, as
// docs/node.md asks: a node that boots next to a frozen MASTER has only its own
// timers to tell how long that one's lease may be.
func (d *drawing) topology(unsafe bool) {
	d.line("topo pair clients=%d backends=%d", 1+d.Below(3), 1+d.Below(4))
	d.line("config bfd.tx=%s bfd.rx=%s bfd.mult=%d", pick(d, "20ms", "50ms", "100ms"), pick(d, "20ms", "50ms"), pick(d, 3, 3, 4, 5))
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

// services draws two services, the family of each from a stream of its own, and from another
// whether it counts connections.
func (d *drawing) services(families, counting *sim.Random) {
	for _, service := range []struct {
		name string
		port int
	}{{"web tcp", 80}, {"dns udp", 53}} {
		vip := "198.18.0.100"
		if families.Chance(ipv6Share) {
			vip = "[2001:2::100]"
		}
		mode, balance := pick(d, "fullnat", "dnat"), pick(d, "rr", "maglev")
		if counting.Chance(leastConnShare) {
			balance = "least-conn"
		}
		d.line("service %s %s:%d mode=%s balance=%s", service.name, vip, service.port, mode, balance)
	}
}

// ipv6Share is how many of the services are of IPv6, leastConnShare how many count connections.
const (
	ipv6Share      = 0.25
	leastConnShare = 0.2
)

// pinShare is in how many of the cases what a node has in its kernel outlives its process.
const pinShare = 0.3

// pins draws whether the nodes pin their tables, from its own stream of random numbers.
func (d *drawing) pins(draw *sim.Random) {
	if draw.Chance(pinShare) {
		d.line("config pin=on")
	}
}

// deferShare is in how many of the cases replies that tell a client of its flow wait for the peer.
const deferShare = 0.25

// defers draws whether the nodes defer such replies, from a stream of its own.
func (d *drawing) defers(draw *sim.Random) {
	if draw.Chance(deferShare) {
		d.line("config sync.defer=established")
	}
}

// track draws what the nodes track, from a stream of its own. Over a link that loses
// packets no node can tell a lost probe from a lost host, and may leave the role to one
// that has no table: a gentle case, which claims that no session is lost, does not track there.
func (d *drawing) track(draw *sim.Random, weather weather, gentle bool) {
	what := []string{"backends", "backend1", "clients"}[draw.Below(3)]
	every, misses := draw.Between(10*time.Millisecond, 200*time.Millisecond).Truncate(time.Millisecond), 1+draw.Below(5)
	link := lab.Backends
	if what == "clients" {
		link = lab.Clients
	}
	if draw.Chance(trackShare) && !(gentle && weather.loses(link)) {
		d.line("config track.targets=%s track.every=%s track.misses=%d", what, every, misses)
		d.tracks = what == "backends"
	}
}

// trackShare is in how many of the cases the nodes track hosts.
const trackShare = 0.25

// load draws the traffic. A gentle case waits for tables that are equal, which they
// never are at one instant while connections come and go.
func (d *drawing) load(gentle bool) {
	d.line("traffic web sessions tcp service=web count=%d every=%dms", 5+d.Below(60), 50+d.Below(450))
	d.line("traffic probe probe udp service=dns rate=%d/s", 20+d.Below(180))
	if !gentle {
		d.line("traffic new connects tcp service=web rate=%d/s", 1+d.Below(20))
	}
	if d.Chance(0.3) {
		d.line("traffic idle flows %s count=%d", pick(d, "tcp service=web", "udp service=dns"), 10+d.Below(300))
	}
}

// claims states what must hold, given what was drawn. With the gates off that is what
// the historical bug breaks.
func (d *drawing) claims(gentle, unsafe bool) {
	d.line("always announce ; gates ; corrupt == 0")
	d.line("always unanswered <= %d", unansweredMost) // a connect whose every SYN is lost gives up
	if !unsafe {
		d.line("always served ; rests")
	}
	if !d.jumps {
		d.line("always exclusive ; kept")
	}
	if gentle && !d.lossy && !d.jumps {
		d.line("always masters <= 1 ; rst == 0 ; lost == 0")
		if !d.late {
			d.line("always moved == 0")
		}
	}
}
