package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/scenarios/plan"
)

// policedPlan has many VIPs behind a switch port that passes thirty gratuitous ARPs a second.
func policedPlan(t *testing.T, vips int) *plan.Plan {
	t.Helper()
	var text strings.Builder
	text.WriteString("scenario policed\ntopo pair clients=1 backends=1\n")
	for i := range vips {
		fmt.Fprintf(&text, "service s%d tcp 198.18.0.%d:80\n", i, 100+i)
	}
	text.WriteString("@0s limit garp lb2->client1 rate=30/s\n@1s crash lb1\n@20s end\n")
	p, err := plan.Parse("policed.scn", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestManyVIPsMoveThroughAPortThatPolicesARP: within five seconds after the MASTER's crash a host's
// entries for 50 VIPs are right, without any request of its own.
func TestManyVIPsMoveThroughAPortThatPolicesARP(t *testing.T) {
	const vips, limit = 50, 5 * time.Second
	for seed := range uint64(3) {
		o := &outing{}
		p := policedPlan(t, vips)
		var err error
		if o.World, err = NewWorld(p, Config{Seed: seed, Recorder: o}); err != nil {
			t.Fatal(err)
		}
		_ = o.Up(t.Context())
		o.pass(t, 3*time.Second)
		client := uint8(2)
		for vip, v := range o.vips {
			if v.link == onClients {
				o.setNeighbour(client, uint8(vip), 0)
			}
		}
		for _, step := range p.Steps {
			if step.Fault == nil {
				continue
			}
			if err := o.Do(t.Context(), *step.Fault); err != nil {
				t.Fatal(err)
			}
		}
		o.pass(t, limit)
		stale := 0
		for vip, v := range o.vips {
			if v.link == onClients && o.hosts[client].arp[vip].lb != 1 {
				stale++
			}
		}
		if stale > 0 {
			t.Errorf("seed %d: %d of %d entries point at the dead node %v after its crash", seed, stale, vips, limit)
		}
	}
}
