package traffic

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns/internal/sctpstack"
	"baton/scenarios/latency"
	"baton/scenarios/plan"
)

// line is one traffic line of the plan with its totals. The generators of its clients share
// it, so its methods lock.
type line struct {
	plan.Traffic
	number    uint32 // of the line in the plan
	lines     int    // in the plan
	senders   []int  // indices of its clients
	run, seed uint64
	backends  []string // of idle flows, by first answer; belongs to the loop
	affine    bool     // the service has affinity
	target    netip.AddrPort
	threshold time.Duration
	timeouts  Timeouts
	record    func(trace.Event)

	mu     sync.Mutex
	totals trace.Totals
	rtt    *hdrhistogram.Histogram // microseconds
	// stretches are the round-trip times over time.
	stretches latency.Stretches
}

// Round-trip times from 1 µs to 2 min, to three significant digits.
const (
	rttMin    = 1
	rttMax    = int64(2 * time.Minute / time.Microsecond)
	rttDigits = 3
)

func newLine(number int, t plan.Traffic, affine bool, target netip.AddrPort, cfg *Config, record func(trace.Event)) *line {
	threshold := cfg.GapTCP
	if t.Proto == plan.UDP {
		threshold = cfg.GapUDP
	}
	var senders []int
	for i, host := range cfg.Clients {
		if t.Sends(host.Name()) {
			senders = append(senders, i)
		}
	}
	return &line{
		Traffic: t, number: uint32(number), lines: len(cfg.Lines), senders: senders, run: cfg.Run, seed: cfg.Seed, affine: affine, target: target, threshold: threshold,
		timeouts: cfg.Timeouts, record: record,
		totals: trace.Totals{Name: t.Name, Kind: t.Kind, Proto: t.Proto},
		rtt:    hdrhistogram.New(rttMin, rttMax, rttDigits),
	}
}

// wire returns the identity of the line's n-th flow in its messages.
func (l *line) wire(n int) uint32 { return l.number<<24 | uint32(n)&0xffffff }

// pace returns the rate at which a client opens its share of the flows.
func (l *line) pace(share int) float64 { return l.Rate * float64(max(1, share)) / float64(l.Count) }

// guests returns the addresses of the line's flows on one client. Lines use the same ports
// and therefore need distinct addresses.
func (l *line) guests(all []netip.Addr, client, clients int) []netip.Addr {
	part := len(all) / max(1, clients*l.lines)
	first := (int(l.number)*clients + client) * part
	return all[first : first+part]
}

// backendNumber returns the number, from 1, of a backend among those that answered idle
// flows.
func (l *line) backendNumber(name string) uint8 {
	i := slices.Index(l.backends, name)
	if i < 0 {
		i = len(l.backends)
		l.backends = append(l.backends, name)
	}
	return uint8(i + 1)
}

// count updates the totals.
func (l *line) count(f func(*trace.Totals)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.totals)
}

// acted counts an action by its lateness.
func (l *line) acted(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.totals.Meant++
	if by > l.timeouts.Late {
		l.totals.Late++
	}
	l.totals.Latest = max(l.totals.Latest, float64(by.Microseconds())/1000)
}

func (l *line) sent() {
	l.mu.Lock()
	l.totals.Sent++
	l.mu.Unlock()
}

// received counts an answer by its intended send time and its arrival.
func (l *line) received(intended, at clock.Instant) { l.answered(intended, at, answerLen) }

func (l *line) answered(intended, at clock.Instant, bytes uint64) {
	rtt := at.Sub(intended)
	l.mu.Lock()
	l.totals.Received++
	l.totals.Bytes += bytes
	_ = l.rtt.RecordValue(min(max(int64(rtt/time.Microsecond), rttMin), rttMax)) // in range by construction
	l.stretches.Add(at, rtt)
	l.mu.Unlock()
}

// summary returns the current totals.
func (l *line) summary(final bool) trace.Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.totals
	t.Final = final
	if l.rtt.TotalCount() > 0 {
		t.RTTp50 = float64(l.rtt.ValueAtQuantile(50)) / 1000
		t.RTTp99 = float64(l.rtt.ValueAtQuantile(99)) / 1000
		t.RTTMax = float64(l.rtt.Max()) / 1000
	}
	return t
}

// traceTotals returns the totals for the trace, with the latencies since the previous call.
func (l *line) traceTotals(now clock.Instant, final bool) trace.Totals {
	t := l.summary(final)
	if final {
		now = clock.Never
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Latency = l.stretches.Take(now)
	return t
}

// client is a host that generates load.
type client struct {
	name      string
	namespace int              // file descriptor of its network namespace
	sctp      *sctpstack.Stack // nil if no service is SCTP
}

// flowID identifies one flow of a line in the trace: its client and its number within the
// line.
type flowID struct {
	line   *line
	client *client
	number int
	local  netip.AddrPort // zero until known
}

func (f flowID) String() string { return fmt.Sprintf("%s/%d", f.client.name, f.number) }

// event records what happened to the flow.
func (f flowID) event(at clock.Instant, event, why, backend string) {
	t := &trace.Traffic{Name: f.line.Name, Flow: f.String(), Event: event, Why: why, Backend: backend}
	if f.local.IsValid() {
		t.Tuple = fmt.Sprintf("%s %s>%s", f.line.Proto, f.local, f.line.target)
	}
	f.line.record(trace.Event{At: at, Node: f.client.name, Kind: trace.KindTraffic, Traffic: t})
}

// gap records a stall or an outage of the flow, at its end.
func (f flowID) gap(g gap) {
	f.line.record(trace.Event{At: g.to, Node: f.client.name, Kind: trace.KindGap, Gap: &trace.Gap{
		Name: f.line.Name, Flow: f.String(), Proto: f.line.Proto, From: g.from, To: g.to, Missed: g.missed}})
}
