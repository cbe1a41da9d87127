package campaign

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/plan"
	"baton/sim"
)

// weather is the chaos of a case.
type weather struct {
	lines []plan.Chaos
	jumps bool // a clock steps by more than leaseLeaves
}

// leaseLeaves is the largest harmless clock step. A lease ends a tenth of the detection time before
// the peer may claim (impl/node); this is less than a tenth of the shortest one drawn.
const leaseLeaves = 5 * time.Millisecond

// text returns the chaos as lines of a scenario.
func (w weather) text() string {
	var b strings.Builder
	for _, c := range w.lines {
		fmt.Fprintf(&b, "[%s] chaos %s\n", plan.Sim, c)
	}
	return b.String()
}

// lossless counts the heartbeat paths without packet loss.
func (w weather) lossless() int {
	paths := 0
	for _, link := range []string{lab.Clients, lab.Sync} {
		if !w.loses(link) {
			paths++
		}
	}
	return paths
}

// has reports whether a key that does not belong to a link is set.
func (w weather) has(key string) bool {
	return slices.ContainsFunc(w.lines, func(c plan.Chaos) bool { return c.Link == "" && c.Key == key })
}

// slowShare is the part of a detection time that a slow call takes at most. A lease lasts about a detection time less an
// interval (docs/lease.md); two slow calls in a row of each node must leave it, or no node is to blame for the time without one.
const slowShare = 8

// slowAtMost bounds how long a slow call takes.
func (w weather) slowAtMost(most time.Duration) {
	for i, c := range w.lines {
		if took, err := time.ParseDuration(c.Value); c.Key == "slow.for" && err == nil && took > most {
			w.lines[i].Value = most.String()
		}
	}
}

// loses reports whether packets of a link are lost.
func (w weather) loses(link string) bool {
	return slices.ContainsFunc(w.lines, func(c plan.Chaos) bool {
		return c.Link == link && slices.Contains([]string{"loss", "burst.begin", "corrupt"}, c.Key)
	})
}

// DrawChaos draws chaos lines of a scenario: each fault with the probability share, and its
// severity.
func DrawChaos(draw *sim.Random, share float64) string { return drawChaos(draw, share, false).text() }

// drawChaos draws the chaos of a case. A gentle case claims that no session is lost, so it gets
// none that can lose sessions by itself (stall, flow.events).
func drawChaos(draw *sim.Random, share float64, gentle bool) weather {
	var w weather
	set := func(key, value string) { w.lines = append(w.lines, plan.Chaos{Key: key, Value: value}) }
	on := func(add func()) {
		before := w
		active := draw.Chance(share)
		add() // always draws, so that one fault does not change the draws of the others
		if !active {
			w = before
		}
	}
	for _, link := range []string{lab.Clients, lab.Backends, lab.Sync} {
		on(func() { w.lines = append(w.lines, drawLink(draw, link)...) })
	}
	on(func() { set("apply.fail", portion(draw, 0.1)) })
	on(func() { set("lease.fail", portion(draw, 0.02)) })
	on(func() {
		set("slow", portion(draw, 0.2))
		set("slow.for", between(draw, 0, 20*time.Millisecond))
	})
	on(func() { set("garp.lost", portion(draw, 0.5)) })
	on(func() { set("stream.break", between(draw, 2*time.Second, 20*time.Second)) })
	on(func() { set("stream.dial", between(draw, 0, 500*time.Millisecond)) })
	on(func() {
		set("clock.step", between(draw, 3*time.Second, 20*time.Second))
		limit := leaseLeaves
		if w.jumps = draw.Chance(0.4); w.jumps {
			limit = 500 * time.Millisecond
		}
		set("clock.by", between(draw, time.Millisecond, limit))
	})
	on(func() { set("clock.drift", strconv.Itoa(draw.Below(200_000))) })
	on(func() { set("send.fail", portion(draw, 0.05)) })
	on(func() { set("drain.fail", portion(draw, 0.5)) })
	on(func() { set("dump.fail", portion(draw, 0.5)) })
	if !gentle {
		on(func() {
			set("stall", between(draw, 3*time.Second, 20*time.Second))
			set("stall.for", between(draw, 10*time.Millisecond, time.Second))
		})
		on(func() { set("flow.events", strconv.Itoa(1+draw.Below(256))) })
	}
	if stay := w.lasting(); draw.Chance(lastingShare) && len(stay.lines) > 0 {
		return stay
	}
	if len(w.lines) > 0 {
		set("until", healed.String())
	}
	return w
}

// lastingShare is the share of cases whose chaos never ends. They keep only the lasting part of the
// drawn chaos.
const lastingShare = 0.3

// lasting returns the part of the chaos that a pair must serve through.
func (w weather) lasting() weather {
	return weather{lines: slices.DeleteFunc(slices.Clone(w.lines), func(c plan.Chaos) bool { return !plan.ServesThrough(c.Key) })}
}

// drawLink draws the impairment of a link: of all directions, or only of what one node sends.
func drawLink(draw *sim.Random, link string) []plan.Chaos {
	var lines []plan.Chaos
	from := ""
	if draw.Chance(0.3) {
		from = lab.Nodes()[draw.Below(2)]
	}
	set := func(key, value string) {
		lines = append(lines, plan.Chaos{Link: link, From: from, Key: key, Value: value})
	}
	if draw.Chance(0.5) {
		set("loss", portion(draw, 0.03*draw.Float()))
	}
	if draw.Chance(0.4) {
		set("duplicate", portion(draw, 0.02))
	}
	if draw.Chance(0.3) {
		set("wander", between(draw, 0, 5*time.Millisecond))
	}
	if draw.Chance(0.4) {
		delay := draw.Between(0, 3*time.Millisecond).Truncate(time.Microsecond)
		set("delay", delay.String())
		set("jitter", between(draw, 0, delay))
	}
	if draw.Chance(0.3) {
		set("burst.begin", portion(draw, 0.002))
		set("burst.end", strconv.FormatFloat(0.05+0.5*float64(draw.Below(100))/100, 'f', 3, 64))
		set("burst.loss", portion(draw, 1))
	}
	if draw.Chance(0.3) {
		set("reorder", portion(draw, 0.02))
		set("holdback", between(draw, 100*time.Microsecond, 5*time.Millisecond))
	}
	if draw.Chance(0.1) {
		set("corrupt", portion(draw, 0.01))
	}
	return lines
}

// portion draws a share below limit, with five decimals.
func portion(draw *sim.Random, limit float64) string {
	return strconv.FormatFloat(limit*draw.Float(), 'f', 5, 64)
}

func between(draw *sim.Random, low, high time.Duration) string {
	return draw.Between(low, high).Truncate(time.Microsecond).String()
}
