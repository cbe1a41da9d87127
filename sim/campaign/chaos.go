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

// weather is what a case has of chaos.
type weather struct {
	lines []plan.Chaos
	jumps bool // a clock steps by more than a lease can leave
}

// leaseLeaves is less than the tenth of the shortest detection time that is drawn: a
// lease ends that long before the peer may claim (impl/node), so that a clock which
// steps by less harms nobody.
const leaseLeaves = 5 * time.Millisecond

// text writes the lines.
func (w weather) text() string {
	var b strings.Builder
	for _, c := range w.lines {
		fmt.Fprintf(&b, "[%s] chaos %s\n", plan.Sim, c)
	}
	return b.String()
}

// lossless counts the heartbeat's paths on which no packet is ever lost.
func (w weather) lossless() int {
	paths := 0
	for _, link := range []string{lab.Clients, lab.Sync} {
		if !w.loses(link) {
			paths++
		}
	}
	return paths
}

// has reports whether a key is set that concerns no link.
func (w weather) has(key string) bool {
	return slices.ContainsFunc(w.lines, func(c plan.Chaos) bool { return c.Link == "" && c.Key == key })
}

// loses reports whether packets of a link are lost.
func (w weather) loses(link string) bool {
	return slices.ContainsFunc(w.lines, func(c plan.Chaos) bool {
		return c.Link == link && slices.Contains([]string{"loss", "burst.begin", "corrupt"}, c.Key)
	})
}

// DrawChaos draws what goes wrong besides the steps, each fault with the probability
// share, and how bad it is, as lines of a scenario.
func DrawChaos(draw *sim.Random, share float64) string { return drawChaos(draw, share, false).text() }

// drawChaos leaves out of a gentle case what takes sessions away by itself: it does
// one thing at a time, so that it may claim that no session suffers.
func drawChaos(draw *sim.Random, share float64, gentle bool) weather {
	var w weather
	set := func(key, value string) { w.lines = append(w.lines, plan.Chaos{Key: key, Value: value}) }
	on := func(add func()) {
		before := w
		active := draw.Chance(share)
		add() // draws whether or not it counts, so that one fault does not move the others
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

// lastingShare is in how many of the cases that part of the weather stays for ever which a
// pair has to serve through, and nothing else is wrong besides the steps.
const lastingShare = 0.3

// lasting is that part of the weather.
func (w weather) lasting() weather {
	return weather{lines: slices.DeleteFunc(slices.Clone(w.lines), func(c plan.Chaos) bool { return !plan.ServesThrough(c.Key) })}
}

// drawLink draws an impaired link: in all directions alike, or one that loses or
// delays what a single node sends.
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

// portion draws a share below limit, with as many digits as a reader can do with.
func portion(draw *sim.Random, limit float64) string {
	return strconv.FormatFloat(limit*draw.Float(), 'f', 5, 64)
}

func between(draw *sim.Random, low, high time.Duration) string {
	return draw.Between(low, high).Truncate(time.Microsecond).String()
}
