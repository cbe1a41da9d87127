package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/scenarios/lab"

	"baton/scenarios/link"
)

const underChaos = `scenario x
service web tcp 198.18.0.100:80
traffic web sessions
%
always rst == 0
@1s end
`

func chaotic(t *testing.T, lines string) *Plan {
	t.Helper()
	return mustParse(t, strings.Replace(underChaos, "%", lines, 1))
}

// A per-direction setting overrides the link's; guards apply.
func TestImpairment(t *testing.T) {
	p := chaotic(t, `[sim] chaos clients loss=0.01 delay=3ms jitter=2ms reorder=0.1 holdback=4ms wander=1ms
[sim] chaos clients from lb1 loss=0.5
[netns] chaos sync loss=1
[sim] chaos garp.lost=0.25 flow.events=7 stall=2s stall.for=100ms`)
	for _, test := range []struct {
		world, on, from string
		want            link.Params
		transit         time.Duration
	}{
		{Sim, lab.Clients, "lb2", link.Params{Loss: 0.01, Delay: 3 * time.Millisecond, Jitter: 2 * time.Millisecond, Reorder: 0.1, HoldBack: 4 * time.Millisecond}, 10 * time.Millisecond},
		{Sim, lab.Clients, "lb1", link.Params{Loss: 0.5, Delay: 3 * time.Millisecond, Jitter: 2 * time.Millisecond, Reorder: 0.1, HoldBack: 4 * time.Millisecond}, 10 * time.Millisecond},
		{Sim, lab.Sync, "lb1", link.Params{}, 0},
		{Netns, lab.Sync, "lb1", link.Params{Loss: 1}, 0},
		{Netns, lab.Clients, "lb1", link.Params{}, 0},
	} {
		if got := p.Impairment(test.world, test.on, test.from); got != test.want {
			t.Errorf("%s %s from %s: %+v, want %+v", test.world, test.on, test.from, got, test.want)
		}
		if got := p.Transit(test.world, test.on, test.from); got != test.transit {
			t.Errorf("%s %s from %s: a packet may be under way for %v, want %v", test.world, test.on, test.from, got, test.transit)
		}
	}
	if p.ChaosShare(Sim, "garp.lost") != 0.25 || p.ChaosCount(Sim, "flow.events") != 7 || p.ChaosTime(Sim, "stall") != 2*time.Second {
		t.Errorf("node chaos was not read: %v", p.Chaos)
	}
	if p.ChaosShare(Netns, "garp.lost") != 0 || len(p.NotExecuted(Netns)) == 0 {
		t.Error("the guard is not heeded")
	}
}

func TestChaosThatMakesNoSense(t *testing.T) {
	for lines, want := range map[string]string{
		"chaos loss=0.1":                              "loss belongs to a link",
		"chaos clients garp.lost=0.1":                 "garp.lost does not belong to a link",
		"chaos clients loss=0.1 until=12s":            "write chaos until=… on a separate line",
		"chaos cleints loss=0.1":                      `did you mean "clients"`,
		"chaos clients loss=1.5":                      "1.5 is not a share from 0 to 1",
		"chaos clients delay=1ms jitter=2ms":          "jitter 2ms is not from 0 to the delay",
		"chaos clients reorder=0.1":                   "without a time to hold back",
		"chaos clients burst.begin=0.1":               "never ends",
		"chaos clients from backend1 loss=0.1":        "backend1 sends nothing on the link clients",
		"chaos sync from client1 loss=0.1":            "client1 sends nothing on the link sync",
		"chaos clients to lb1 loss=0.1":               "the form is: chaos",
		"chaos stall=2s":                              "has no effect without stall.for",
		"chaos slow=0.1\nchaos slow=0.2 slow.for=1ms": "slow is set twice",
		"@1s chaos garp.lost=0.1":                     `"chaos" takes no time`,
	} {
		_, err := Parse("x.scn", []byte(strings.Replace(underChaos, "%", lines, 1)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", lines, err, want)
		}
	}
}

// Shrinking takes chaos away, all of it first.
func TestChaosIsShrunk(t *testing.T) {
	p := chaotic(t, "chaos garp.lost=0.25 lease.fail=0.1")
	left := map[int]bool{}
	for c := range Candidates(p) {
		left[len(c.Chaos)] = true
	}
	if !left[0] || !left[1] {
		t.Errorf("candidates have %v lines of chaos, want also none and one", left)
	}
}

// Shrinking makes each line of chaos gentler: it halves the harmful values and doubles the sparing ones.
func TestChaosIsCalmed(t *testing.T) {
	for line, want := range map[string]string{
		"clients loss=0.35":          "clients loss=0.17",
		"clients from lb1 corrupt=1": "clients from lb1 corrupt=0.5",
		"sync delay=25ms":            "sync delay=12500us",
		"sync wander=0.1ms":          "", // as good as nothing
		"garp.lost=0.0015":           "",
		"garp.lost=0":                "",
		"stream.dial=1s":             "stream.dial=500ms",
		"stream.break=2s":            "stream.break=4s",
		"stream.break=24h":           "",
		"flow.events=1000":           "flow.events=2000",
		"clock.drift=7":              "clock.drift=3",
		"clock.drift=1":              "",
		"until=9s":                   "until=4500ms",
		"sync burst.end=0.7":         "sync burst.end=1",
	} {
		p := chaotic(t, "chaos "+line)
		got := ""
		for c := range Candidates(p) {
			if len(c.Chaos) == len(p.Chaos) && c.Chaos[0] != p.Chaos[0] {
				got = c.Chaos[0].String()
			}
		}
		if got != want {
			t.Errorf("chaos %s is made %q, want %q", line, got, want)
		}
	}
}

// However it is taken, calming ends.
func TestCalmingChaosTerminates(t *testing.T) {
	p := chaotic(t, "chaos sync loss=0.9 burst.begin=0.5 burst.end=0.01 delay=1s\nchaos slow=1 slow.for=1s stall=1ms stall.for=1m clock.drift=100000000")
	for n := 0; ; n++ {
		var next *Plan
		for c := range Candidates(p) {
			if len(c.Chaos) == len(p.Chaos) && !slices.Equal(c.Chaos, p.Chaos) {
				next = c
			}
		}
		if next == nil {
			return
		}
		if p = next; n > 300 {
			t.Fatalf("it does not end:\n%s", Print(p))
		}
	}
}
