package campaign

import (
	"fmt"
	"slices"
	"time"

	"baton/scenarios/lab"
	"baton/sim"
)

// wires draws what links do to some of what they carry, for a while and one after the
// other, from a stream of its own. Each names a kind of packets, so that the heal that ends
// it takes back nothing else, and none lasts across a heal of everything. It is such as a
// pair has to bear without a word: no heartbeat is lost, and a gentle case keeps its
// announcements too.
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

// wireShare is how likely one more follows.
const wireShare = 0.5

// healedWithin reports whether a heal of everything stands between two times.
func (d *drawing) healedWithin(from, to time.Duration) bool {
	return slices.ContainsFunc(d.timeline, func(s step) bool { return s.text == "heal" && s.at >= from && s.at <= to })
}

// late draws a delay and its jitter.
func late(draw *sim.Random) (delay, jitter string) {
	d := draw.Between(time.Millisecond, 5*time.Millisecond).Truncate(time.Microsecond)
	return d.String(), between(draw, 0, d)
}

// drawn writes a fault that concerns a node, or what it sends its peer.
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

// roughKinds leave the clients behind when the role moves: a gentle case, which claims that no
// session is lost, has none.
var roughKinds = []drawn{
	func(draw *sim.Random, node, _ string) string {
		return fmt.Sprintf("limit arp %s->clients rate=%d/s", node, 1+draw.Below(4))
	},
	func(_ *sim.Random, node, _ string) string { return "cut garp " + node + "->clients" },
	func(*sim.Random, string, string) string { return "deaf client1" },
}
