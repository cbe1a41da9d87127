package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/scenarios/link"
)

// Chaos is a random fault that needs no step: an impaired link, writes that fail, clocks that
// drift. Only the simulator has it.
type Chaos struct {
	Link string // the link whose packets it affects; "" if it does not concern a link
	From string // the sender whose packets it affects; "" for all senders on the link
	Key  string // canonical
	// Value is canonical: a share from 0 to 1, a duration, or a whole number.
	Value string
	Guard Guard
	Pos   Pos
}

// ChaosKey is a key that a chaos line may set.
type ChaosKey struct {
	Name   string
	OnLink bool // it must be set for a link
	// Gentle marks a key whose larger values cause fewer faults.
	Gentle bool
	Doc    string

	quantity func(text string) (canonical string, err error)
}

// ChaosKeys is the table of random faults. A share is a probability from 0 to 1.
var ChaosKeys = []ChaosKey{
	{Name: "loss", OnLink: true, quantity: share, Doc: "share of packets that are lost, each drawn independently"},
	{Name: "duplicate", OnLink: true, quantity: share, Doc: "share of packets that arrive twice"},
	{Name: "delay", OnLink: true, quantity: span(0, time.Second), Doc: "added to the time that a packet takes"},
	{Name: "jitter", OnLink: true, quantity: span(0, time.Second), Doc: "by how much `delay` varies in both directions; at most `delay`"},
	{Name: "reorder", OnLink: true, quantity: share, Doc: "share of packets that are delayed, so that later packets overtake them"},
	{Name: "holdback", OnLink: true, quantity: span(0, time.Second), Doc: "how long `reorder` delays a packet"},
	{Name: "burst.begin", OnLink: true, quantity: share, Doc: "probability that a good link turns bad, drawn before each packet (Gilbert and Elliott)"},
	{Name: "burst.end", OnLink: true, Gentle: true, quantity: share, Doc: "probability that a bad link turns good again"},
	{Name: "burst.loss", OnLink: true, quantity: share, Doc: "share of packets that a bad link loses"},
	{Name: "corrupt", OnLink: true, quantity: share, Doc: "share of packets that arrive damaged; the receiver drops them"},
	{Name: "wander", OnLink: true, quantity: span(0, 10*time.Millisecond), Doc: "maximum of a further delay, which changes slowly and never reorders packets"},

	{Name: "send.fail", quantity: share, Doc: "share of heartbeats that the kernel refuses to send"},
	{Name: "lease.fail", quantity: share, Doc: "share of writes of the forwarding lease that fail"},
	{Name: "apply.fail", quantity: share, Doc: "share of writes to the connection table that fail; half of these have written half of the entries"},
	{Name: "drain.fail", quantity: share, Doc: "share of drains of the dataplane's flow events that fail"},
	{Name: "dump.fail", quantity: share, Doc: "share of dumps of the connection table that fail"},
	{Name: "arbiter.fail", quantity: share, Doc: "share of requests to the arbiter that get no answer; half of these were carried out"},
	{Name: "arbiter.fail.lb1", quantity: share, Doc: "the same for requests of lb1 alone"},
	{Name: "arbiter.fail.lb2", quantity: share, Doc: "the same for requests of lb2 alone"},
	{Name: "arbiter.from", quantity: span(0, maxDuration), Doc: "when requests to the arbiter begin to fail, counted from the start of the run"},
	{Name: "arbiter.delay", quantity: span(0, time.Minute), Doc: "maximum delay of an answer of the arbiter"},
	{Name: "arbiter.deleted", Gentle: true, quantity: span(time.Millisecond, maxDuration), Doc: "mean time between two deletions of the arbiter's record"},
	{Name: "slow", quantity: share, Doc: "share of writes to the dataplane's maps that are slow"},
	{Name: "slow.for", quantity: span(0, time.Second), Doc: "maximum duration of a slow write"},
	{Name: "garp.lost", quantity: share, Doc: "share of gratuitous ARPs that are lost when they are sent"},
	{Name: "flow.events", Gentle: true, quantity: whole(1, maxCount), Doc: "how many flow events the dataplane holds before it drops them"},
	{Name: "stream.break", Gentle: true, quantity: span(time.Millisecond, maxDuration), Doc: "mean time between two losses of the sync stream"},
	{Name: "stream.dial", quantity: span(0, time.Minute), Doc: "maximum delay of a connection of the sync stream"},
	{Name: "stall", Gentle: true, quantity: span(time.Millisecond, maxDuration), Doc: "mean time between two pauses of a node's process"},
	{Name: "stall.for", quantity: span(0, time.Minute), Doc: "maximum length of such a pause"},
	{Name: "clock.step", Gentle: true, quantity: span(time.Millisecond, maxDuration), Doc: "mean time between two forward steps of a node's clock"},
	{Name: "clock.by", quantity: span(0, time.Minute), Doc: "maximum length of such a step"},
	{Name: "clock.drift", quantity: whole(0, 100_000_000), Doc: "maximum by which a node's clock is fast or slow, in parts per billion"},
	{Name: chaosUntil, quantity: span(0, maxDuration), Doc: "when all chaos except `wander`, `flow.events` and `clock.drift` ends, counted from the start of the run; never if left out"},
}

// chaosUntil is the key for the end of chaos.
const chaosUntil = "until"

// ChaosKeyOf finds a key by its name.
func ChaosKeyOf(name string) (ChaosKey, bool) {
	i := slices.IndexFunc(ChaosKeys, func(k ChaosKey) bool { return k.Name == name })
	if i < 0 {
		return ChaosKey{}, false
	}
	return ChaosKeys[i], true
}

// share reads a probability.
func share(text string) (string, error) {
	f, err := parseNumber(strings.TrimSuffix(text, "%"))
	if err != nil {
		meant := ""
		if parts := quantityParts.FindStringSubmatch(text); parts != nil && ourUnit(parts[2]) == "%" {
			meant = parts[1] + "%"
		}
		return "", &wrong{message: fmt.Sprintf("%q is not a share such as 5%% or 0.05", text), suggestion: meant}
	}
	if strings.HasSuffix(text, "%") {
		f /= 100
	}
	switch {
	case f > 1 && f <= 100 && !strings.HasSuffix(text, "%"):
		return "", &wrong{message: text + " is not a share from 0 to 1", suggestion: text + "%"}
	case f > 1:
		return "", &wrong{message: text + " is not a share from 0 to 1"}
	}
	return formatNumber(f), nil
}

// String writes the line without its directive and guard.
func (c Chaos) String() string {
	where := ""
	if c.Link != "" {
		where = c.Link + " "
	}
	if c.From != "" {
		where += "from " + c.From + " "
	}
	return fmt.Sprintf("%s%s=%s", where, c.Key, c.Value)
}

// ChaosIn reports whether a world has chaos.
func (p *Plan) ChaosIn(world string) bool {
	return slices.ContainsFunc(p.Chaos, func(c Chaos) bool { return c.Guard.In(world) })
}

// chaos returns the value of a key, "" if no line sets it. The last line for the sender counts, or,
// without one, the last line for all senders.
func (p *Plan) chaos(world, on, from, key string) string {
	value := ""
	for _, sender := range slices.Compact([]string{"", from}) {
		for _, c := range p.Chaos {
			if c.Link == on && c.Key == key && c.From == sender && c.Guard.In(world) {
				value = c.Value
			}
		}
	}
	return value
}

// ChaosShare is the value of a key that does not concern a link, 0 if no line sets it.
func (p *Plan) ChaosShare(world, key string) float64 {
	return numeric(p.chaos(world, "", "", key))
}

// ChaosTime is the duration of a key that does not concern a link, 0 if no line sets it.
func (p *Plan) ChaosTime(world, key string) time.Duration {
	return timed(p.chaos(world, "", "", key))
}

// ChaosCount is the whole number of a key that does not concern a link, 0 if no line sets it.
func (p *Plan) ChaosCount(world, key string) int {
	return int(numeric(p.chaos(world, "", "", key)))
}

func numeric(canonical string) float64 {
	f, _ := strconv.ParseFloat(canonical, 64) // checked when it was read; "" is 0
	return f
}

func timed(canonical string) time.Duration {
	d, _ := time.ParseDuration(canonical) // likewise
	return d
}

// Impairment is the impairment that the chaos lines set for one sender's direction of a link.
func (p *Plan) Impairment(world, on, from string) link.Params {
	share := func(key string) float64 { return numeric(p.chaos(world, on, from, key)) }
	span := func(key string) time.Duration { return timed(p.chaos(world, on, from, key)) }
	return link.Params{
		Delay: span("delay"), Jitter: span("jitter"), Loss: share("loss"),
		Burst:     link.Burst{Begin: share("burst.begin"), End: share("burst.end"), Loss: share("burst.loss")},
		Duplicate: share("duplicate"), Reorder: share("reorder"), HoldBack: span("holdback"), Corrupt: share("corrupt"),
	}
}

// Wander is the slow change of one sender's delay.
func (p *Plan) Wander(world, on, from string) time.Duration {
	return timed(p.chaos(world, on, from, "wander"))
}

// Transit is the longest delay that chaos adds to a packet of the sender. Two packets that were
// sent within it may arrive in reverse order.
func (p *Plan) Transit(world, on, from string) time.Duration {
	i := p.Impairment(world, on, from)
	transit := i.Delay + i.Jitter + p.Wander(world, on, from)
	if i.Reorder > 0 {
		transit += i.HoldBack
	}
	return transit
}

// needed maps a key to the key without which it has no effect.
var needed = map[string]string{"stall": "stall.for", "clock.step": "clock.by", "slow": "slow.for"}

// chaosLines checks the chaos lines against each other.
func (l *linter) chaosLines() {
	type place struct{ link, from, key string }
	seen := map[place][]Chaos{}
	for _, c := range l.Chaos {
		at := place{c.Link, c.From, c.Key}
		for _, other := range seen[at] {
			if meet(c.Guard, other.Guard) {
				l.errorf(c.Pos, "", "", "%s is set twice; first in %s", c.Key, other.Pos)
				break
			}
		}
		seen[at] = append(seen[at], c)
		if sender, ok := l.Topo.Lab().Host(c.From); c.From != "" && !(ok && sender.On(c.Link)) {
			l.errorf(c.Pos, c.From, "", "%s sends nothing on the link %s", c.From, c.Link)
		}
		if err := l.Impairment(c.Guard.world(), c.Link, c.From).Validate(); c.Link != "" && err != nil {
			l.errorf(c.Pos, "", "", "chaos %s: %v", c, err)
		}
	}
	for _, c := range l.Chaos {
		l.chaosEnds(c)
		if by := needed[c.Key]; by != "" && l.chaos(c.Guard.world(), "", "", by) == "" {
			l.errorf(c.Pos, "", "", "chaos %s has no effect without %s", c.Key, by)
		}
	}
}

// world is a world in which a line with the guard counts.
func (g Guard) world() string {
	if g == "" {
		return Sim
	}
	return string(g)
}
