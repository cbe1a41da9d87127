package campaign

import (
	"fmt"
	"slices"
	"time"

	"baton/scenarios/lab"
	"baton/sim"
)

// wires draws impairments of links, one after the other, each for a while. Each names a kind of
// packets, so that its heal ends nothing else, and none lasts across a heal of everything. A pair
// must serve through them: they lose no heartbeats, and in a gentle case no announcements.
func (d *drawing) wires(draw *sim.Random, gentle bool) {
	kinds := wireKinds
	if !gentle {
		kinds = slices.Concat(wireKinds, roughKinds)
	}
	for at := calm; draw.Chance(wireShare); {
		at += draw.Between(100*time.Millisecond, 8*time.Second).Truncate(time.Millisecond)
		lasts := draw.Between(200*time.Millisecond, 5*time.Second).Truncate(time.Millisecond)
		side := draw.Below(2)
		what := kinds[draw.Below(len(kinds))](draw, lab.Nodes()[side], lab.Nodes()[1-side])
		if at+lasts > healed-time.Second {
			return
		}
		if !d.healedWithin(at, at+lasts) {
			d.step(at, "%s for %s", what, lasts)
		}
		at += lasts + 10*time.Millisecond
	}
}

// wireShare is the probability of one more impairment.
const wireShare = 0.5

// healedWithin reports whether a step between two times heals everything.
func (d *drawing) healedWithin(from, to time.Duration) bool {
	return slices.ContainsFunc(d.timeline, func(s step) bool { return s.text == "heal" && s.at >= from && s.at <= to })
}

// late draws a delay and its jitter.
func late(draw *sim.Random) (delay, jitter string) {
	d := draw.Between(time.Millisecond, 5*time.Millisecond).Truncate(time.Microsecond)
	return d.String(), between(draw, 0, d)
}

// drawn returns the step of a fault on a node or on its packets to the peer.
type drawn func(draw *sim.Random, node, peer string) string

var wireKinds = []drawn{
	func(draw *sim.Random, node, _ string) string {
		delay, jitter := late(draw)
		return fmt.Sprintf("delay %s vip clients->%s jitter=%s", delay, node, jitter)
	},
	func(draw *sim.Random, node, peer string) string {
		delay, jitter := late(draw)
		return fmt.Sprintf("delay %s bfd %s->%s via %s jitter=%s", delay, node, peer, pickOf(draw, lab.Clients, lab.Sync), jitter)
	},
	func(draw *sim.Random, node, peer string) string {
		return "duplicate 5% " + pickOf(draw, "vip clients->"+node, "stream "+node+"->"+peer, "bfd "+node+"->"+peer)
	},
	func(draw *sim.Random, node, peer string) string {
		return fmt.Sprintf("reorder 5%% %s after=%s", pickOf(draw, "vip clients->"+node, "stream "+node+"->"+peer),
			between(draw, time.Millisecond, 5*time.Millisecond))
	},
	func(draw *sim.Random, node, peer string) string {
		return fmt.Sprintf("lose 5%% stream %s->%s burst=%d", node, peer, 2+draw.Below(6))
	},
	func(draw *sim.Random, node, peer string) string {
		return fmt.Sprintf("limit stream %s->%s rate=%dmbit queue=50ms", node, peer, 2+draw.Below(20))
	},
	func(_ *sim.Random, node, _ string) string { return "lose 20% syn clients->" + node },
	func(draw *sim.Random, node, _ string) string {
		return fmt.Sprintf("flood bfd %s from client1 rate=%d/s", node, 50+draw.Below(450))
	},
	func(draw *sim.Random, _, _ string) string {
		return fmt.Sprintf("flood syn web from client1 rate=%d/s", 20+draw.Below(180))
	},
}

// roughKinds may keep clients from following a role change. A gentle case claims that no session is
// lost, so it has none.
var roughKinds = []drawn{
	func(draw *sim.Random, node, _ string) string {
		return fmt.Sprintf("limit arp %s->clients rate=%d/s", node, 1+draw.Below(4))
	},
	func(_ *sim.Random, node, _ string) string { return "cut garp " + node + "->clients" },
	func(*sim.Random, string, string) string { return "deaf client1" },
}
