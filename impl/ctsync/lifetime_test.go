package ctsync

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// host is a node's dataplane with a clock of its own offset and rate.
type host struct {
	*model.Dataplane
	booted  clock.Instant
	rate    float64
	timeout time.Duration
}

// local returns the reading of a host's clock at a true instant.
func (h *host) local(at clock.Instant) clock.Instant {
	return h.booted + clock.Instant(float64(at)*h.rate)
}

const maxDrift = 0.001 // of a clock; see docs/lease.md

func newHost(t *rapid.T, timeouts dataplane.Timeouts) *host {
	d, err := model.New(dataplane.Config{ClientLink: "client0", BackendLink: "backend0", Timeouts: timeouts,
		SNATPorts: dataplane.PortRange{First: 1, Last: 2}}, model.Host{})
	if err != nil {
		t.Fatal(err)
	}
	return &host{d, clock.Instant(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "booted")), rapid.Float64Range(1-maxDrift, 1+maxDrift).Draw(t, "rate"), timeouts.Established}
}

// goneAt returns the true instant, to a microsecond, from which on a host sweeps an entry that
// it received at got.
func (h *host) goneAt(t *rapid.T, e flow.Entry, got clock.Instant, since clock.Instant) clock.Instant {
	from, to := got, got.Add(2*h.timeout+time.Second)
	for to-from > clock.Instant(time.Microsecond) {
		at := (from + to) / 2
		h.Advance(h.local(got))
		if err := h.Apply([]flow.Entry{e}); err != nil {
			t.Fatal(err)
		}
		removed, err := h.Sweep(h.local(at), since)
		if err != nil {
			t.Fatal(err)
		}
		if len(removed) == 0 {
			from = at
		} else {
			to = at
		}
	}
	return to
}

// An entry that is sent from node to node keeps its remaining lifetime, whatever the nodes'
// clocks show. It expires no earlier than its timeout, except for clock drift, and no later,
// except for drift, transit time and the rounding to milliseconds. A takeover restarts the lifetime.
func TestAnEntryKeepsItsRemainingLifetimeInTransit(t *testing.T) {
	for _, kind := range []struct {
		proto flow.Proto
		state flow.State
	}{{flow.TCP, flow.Established}, {flow.UDP, flow.Assured}} {
		t.Run(fmt.Sprint(kind.state), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				timeout := time.Duration(rapid.Int64Range(int64(time.Second), int64(3*time.Hour)).Draw(t, "timeout"))
				timeouts := dataplane.Timeouts{Established: timeout, Assured: timeout}
				hosts := []*host{newHost(t, timeouts), newHost(t, timeouts)}
				at := clock.Instant(0)
				hosts[0].Advance(hosts[0].local(at))
				original := flow.Tuple{Proto: kind.proto, SrcPort: 1, DstPort: 2}
				entry := flow.Entry{Original: original, Reply: original.Reverse(), State: kind.state, Origin: flow.Opened, Remaining: timeout}
				if err := hosts[0].Apply([]flow.Entry{entry}); err != nil {
					t.Fatal(err)
				}
				trips := rapid.IntRange(0, 4).Draw(t, "trips")
				slack := 2 * time.Microsecond
				for i := range trips {
					left := timeout - at.Sub(0)
					at = at.Add(time.Duration(rapid.Int64Range(0, int64(left/2)).Draw(t, "stays")))
					from, to := hosts[i%2], hosts[(i+1)%2]
					from.Advance(from.local(at))
					sent, _, _ := from.Lookup(original)
					transit := time.Duration(rapid.Int64Range(0, int64(10*time.Millisecond)).Draw(t, "transit"))
					at, slack = at.Add(transit), slack+transit+time.Millisecond
					to.Advance(to.local(at))
					entry = changeOf(sent).entry(flow.Synced)
					if err := to.Apply([]flow.Entry{entry}); err != nil {
						t.Fatal(err)
					}
				}
				last := hosts[trips%2]
				drift := time.Duration(2 * maxDrift * float64(timeout))
				due := clock.Instant(timeout)
				if gone := last.goneAt(t, entry, at, 0); gone < due.Add(-drift) || gone > due.Add(drift+slack) {
					t.Errorf("an entry with a timeout of %v is gone after %v, by %d trips in which %v may be lost", timeout, gone.Sub(0), trips, slack)
				}
				due = at.Add(timeout)
				if gone := last.goneAt(t, entry, at, last.local(at)); gone < due.Add(-drift) || gone > due.Add(drift+2*time.Microsecond) {
					t.Errorf("taken over at %v with a timeout of %v, the entry is gone at %v", at.Sub(0), timeout, gone.Sub(0))
				}
			})
		})
	}
}
