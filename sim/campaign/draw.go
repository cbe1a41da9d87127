package campaign

import (
	"fmt"
	"strings"
	"time"

	"baton/scenarios/plan"
	"baton/sim"
)

// Case is what a seed stands for.
type Case struct {
	Seed  uint64
	Plan  *plan.Plan
	Chaos sim.Chaos
}

// Phases of a case, on the scenario's clock.
const (
	calm      = 3 * time.Second // after the beginning
	healed    = 40 * time.Second
	recovered = 52 * time.Second
	end       = 60 * time.Second
)

// drawing writes the scenario of a seed.
type drawing struct {
	*sim.Random
	text  strings.Builder
	chaos sim.Chaos
	// isolated: the two nodes may for a while hear nothing of each other, so that
	// both may serve: two nodes alone cannot tell a dead peer from a lost one.
	isolated bool
}

func (d *drawing) line(format string, args ...any) { fmt.Fprintf(&d.text, format+"\n", args...) }

// pick returns one of the values.
func pick[T any](d *drawing, values ...T) T { return values[d.Below(len(values))] }

// Draw returns the case of a seed. unsafe turns the gates off, which recreates
// the historical bug: it shows that the campaign can see it.
func Draw(seed uint64, unsafe bool) (Case, error) {
	d := &drawing{Random: sim.NewRandom(seed, "campaign")}
	gentle := unsafe || d.Chance(0.5)
	d.line("scenario campaign-%d", seed)
	d.topology(unsafe)
	d.load(gentle)
	d.chaos = sim.DrawChaos(sim.NewRandom(seed, "campaign/chaos"), pick(d, 0, 0.15, 0.4))
	if gentle {
		// One thing at a time: what follows may claim that no session suffers.
		d.chaos.StallEvery = 0
		d.chaos.MaxEvents = 0
	}
	d.chaos.Until = healed
	steps := d.rough
	if gentle {
		steps = d.gentle
	}
	var timeline strings.Builder
	steps(&timeline)
	d.claims(gentle)
	d.line("%s", strings.TrimRight(timeline.String(), "\n"))
	p, err := plan.Parse(fmt.Sprintf("campaign-%d.scn", seed), []byte(d.text.String()))
	if err != nil {
		return Case{}, fmt.Errorf("campaign: seed %d: %w\n%s", seed, err, d.text.String())
	}
	return Case{Seed: seed, Plan: p, Chaos: d.chaos}, nil
}

func (d *drawing) topology(unsafe bool) {
	d.line("topo pair clients=%d backends=%d", 1+d.Below(2), 1+d.Below(3))
	d.line("config bfd.tx=%s bfd.rx=%s bfd.mult=%d", pick(d, "20ms", "50ms", "100ms"), pick(d, "20ms", "50ms"), pick(d, 3, 3, 5))
	d.line("config ha.hold=%s", pick(d, "200ms", "500ms", "1s", "2s"))
	preempt := pick(d, "never", "after-sync")
	if unsafe {
		preempt = "immediate"
		d.line("config ha.gates=off")
	}
	d.line("config ha.preempt=%s", preempt)
	if d.Chance(0.3) || unsafe {
		d.line("config %s ha.priority=200", pick(d, plan.Nodes()...))
	}
	d.line("service web tcp 198.18.0.100:80 mode=%s balance=%s", pick(d, "fullnat", "dnat"), pick(d, "rr", "maglev"))
	d.line("service dns udp 198.18.0.100:53 mode=%s balance=%s", pick(d, "fullnat", "dnat"), pick(d, "rr", "maglev"))
}

// load draws the traffic. A gentle case waits for tables that are equal, which they
// never are at one instant while connections come and go.
func (d *drawing) load(gentle bool) {
	d.line("traffic web sessions tcp service=web count=%d every=%dms", 5+d.Below(60), 50+d.Below(450))
	d.line("traffic probe probe udp service=dns rate=%d/s", 20+d.Below(180))
	if d.Chance(0.5) && !gentle {
		d.line("traffic new connects tcp service=web rate=%d/s", 1+d.Below(20))
	}
	if d.Chance(0.3) {
		d.line("traffic idle flows %s count=%d", pick(d, "tcp service=web", "udp service=dns"), 10+d.Below(300))
	}
}

// claims states what must hold, given what was drawn.
func (d *drawing) claims(gentle bool) {
	d.line("always announce ; gates ; corrupt == 0")
	if !d.isolated {
		d.line("always masters <= 1 ; forwarders <= 1")
	}
	if gentle && !d.isolated {
		d.line("always rst == 0 ; lost == 0 ; moved == 0")
	}
}

// lossless counts the heartbeat's paths on which no packet is ever lost.
func (d *drawing) lossless() int {
	paths := 0
	for _, link := range []int{0, 2} {
		impaired := d.chaos.Impaired[link]
		if d.chaos.Loss[link] == 0 && impaired.Loss == 0 && impaired.Burst.Begin == 0 {
			paths++
		}
	}
	return paths
}

// gentle does one thing at a time to one node, and waits until the pair has
// recovered before it does the next.
func (d *drawing) gentle(out *strings.Builder) {
	d.isolated = d.lossless() == 0
	enabled := d.enabled(plan.VerbCrash, plan.VerbKill, plan.VerbStop, plan.VerbFreeze, plan.VerbHandover)
	fmt.Fprintln(out, "@0s wait converged within 30s")
	at := calm
	for at < healed {
		node, verb := pick(d, plan.Nodes()...), pick(d, enabled...)
		step(out, at, "%s %s", verb, node)
		switch verb {
		case plan.VerbHandover:
		case plan.VerbFreeze:
			at += d.Between(1200*time.Millisecond, 4*time.Second) // so long that the node has something to tell afterwards
			step(out, at, "thaw %s", node)
		default:
			at += d.Between(100*time.Millisecond, 4*time.Second)
			step(out, at, "restore %s", node)
		}
		at += 500 * time.Millisecond
		step(out, at, "wait converged within 30s")
		at += d.Between(100*time.Millisecond, 6*time.Second)
	}
	d.finish(out, max(at, healed)+time.Second)
}

// rough lets faults overlap as they will.
func (d *drawing) rough(out *strings.Builder) {
	enabled := d.enabled(plan.VerbCrash, plan.VerbKill, plan.VerbStop, plan.VerbFreeze, plan.VerbHandover, plan.VerbCut)
	pace := d.Between(300*time.Millisecond, 6*time.Second)
	fmt.Fprintln(out, "@0s wait masters == 1 within 30s")
	down, frozen, cuts := map[string]bool{}, map[string]bool{}, 0
	for at := calm; at < healed; at += d.Between(10*time.Millisecond, 2*pace) {
		node, verb := pick(d, plan.Nodes()...), pick(d, enabled...)
		switch {
		case down[node]:
			step(out, at, "restore %s", node)
			down[node] = false
		case frozen[node] && d.Chance(0.7):
			step(out, at, "thaw %s", node)
			frozen[node] = false
		case cuts > 0 && d.Chance(0.4):
			step(out, at, "heal")
			cuts = 0
		case verb == plan.VerbCut:
			step(out, at, "cut %s", pick(d, "lb1 -> lb2 via clients", "lb2 -> lb1 via clients", "lb1 <-> lb2 via clients", "sync",
				"lb1 -> lb2 via sync", "clients -> lb1", "lb1 -> backends", "lb1 <-> lb2"))
			cuts++
			d.isolated = true
		case frozen[node]:
		case verb == plan.VerbFreeze:
			step(out, at, "freeze %s", node)
			frozen[node] = true
		case verb == plan.VerbHandover:
			step(out, at, "handover %s", node)
		default:
			step(out, at, "%s %s", verb, node)
			down[node] = true
		}
	}
	d.isolated = d.isolated || d.lossless() == 0
	at := healed + 3*time.Second
	for _, node := range plan.Nodes() {
		if frozen[node] {
			step(out, at, "thaw %s", node)
		}
		if down[node] {
			step(out, at, "restore %s", node)
		}
	}
	if cuts > 0 {
		step(out, at, "heal")
	}
	d.finish(out, end)
}

// finish asks that the pair has recovered.
func (d *drawing) finish(out *strings.Builder, at time.Duration) {
	if at == end {
		step(out, recovered, "expect gap(probe) < 1s")
	}
	step(out, at, "end eventually converged within 30s")
}

// enabled draws which faults are on at all.
func (d *drawing) enabled(verbs ...string) []string {
	var on []string
	for _, verb := range verbs {
		if d.Chance(0.5) {
			on = append(on, verb)
		}
	}
	if len(on) == 0 {
		on = append(on, pick(d, verbs...))
	}
	return on
}

func step(out *strings.Builder, at time.Duration, format string, args ...any) {
	fmt.Fprintf(out, "@%dms %s\n", at.Milliseconds(), fmt.Sprintf(format, args...))
}
