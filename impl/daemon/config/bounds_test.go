package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBounds: each number's minimum and maximum are accepted, and values just outside of them are
// refused, with the key in the message.
func TestBounds(t *testing.T) {
	dir := folder(t)
	const last = "control: lb1.sock"
	const nothing = "" // no bound on that side, or the type's own
	number := func(n int) string { return fmt.Sprint(n) }
	span := func(d time.Duration) string { return d.String() }
	const just = time.Nanosecond
	for _, c := range []struct {
		key                        string // as the message names it
		old, new                   string // new has one %s
		below, first, last, beyond string
	}{
		{"bfd.tx", "tx: 50ms", "tx: %s", span(time.Millisecond - time.Microsecond), span(time.Millisecond), nothing, span(72 * time.Minute)},
		{"bfd.mult", "mult: 3", "mult: %s", number(0), number(1), nothing, number(256)},
		{"ha.priority", "priority: 150", "priority: %s", number(0), number(1), number(254), number(255)},
		{"ha.announce_every", "priority: 150", "announce_every: %s", span(100*time.Microsecond - just), span(100 * time.Microsecond), span(100 * time.Millisecond), span(100*time.Millisecond + just)},
		{"ha.announce_rate", "priority: 150", "announce_rate: %s", number(0), number(1), number(1000), number(1001)},
		{"ha.hold", "hold: 500ms", "hold: %s", span(150*time.Millisecond - just), span(150 * time.Millisecond), nothing, nothing},
		{"sync.version", "  key: lb1.key", "  key: lb1.key\n  version: %s", number(0), number(1), nothing, number(99)},
		{"sync.defer_limit", "  key: lb1.key", "  key: lb1.key\n  defer: established\n  defer_limit: %s", span(100*time.Microsecond - just), span(100 * time.Microsecond), span(500 * time.Millisecond), span(500*time.Millisecond + just)},
		{"snat_ports", "20000-59999", "%s-59999", number(1023), number(1024), number(59998), number(59999)},
		{"max_flows", last, last + "\nmax_flows: %s", number(-1), number(0), number(1 << 28), number(1<<28 + 1)},
		{"timeouts.established", last, last + "\ntimeouts: {established: %s}", span(0), span(time.Second), nothing, nothing},
		{"track.every", last, last + "\ntrack: {every: %s}", span(10*time.Millisecond - just), span(10 * time.Millisecond), span(time.Minute), span(time.Minute + just)},
		{"track.misses", last, last + "\ntrack: {misses: %s}", number(0), number(1), number(255), number(256)},
		{"arbiter.every", last, last + "\narbiter: {gateway: 198.18.0.3, every: %s}", span(10*time.Millisecond - just), span(10 * time.Millisecond), span(time.Minute), span(time.Minute + just)},
		{"arbiter.validity", last, last + "\narbiter: {etcd: [\"http://198.18.3.1:2379\"], validity: %s}", span(300*time.Millisecond - just), span(300 * time.Millisecond), nothing, nothing},
		{"services[0].affinity", "    snat: 198.18.1.100\n    backends: [", "    affinity: %s\n    snat: 198.18.1.100\n    backends: [", span(time.Second - just), span(time.Second), span(7 * 24 * time.Hour), span(7*24*time.Hour + just)},
		{"check.interval", last, last + "\ncheck: {type: port, timeout: 1ms, interval: %s}", span(10*time.Millisecond - just), span(10 * time.Millisecond), span(time.Hour), span(time.Hour + just)},
		{"check.timeout", last, last + "\ncheck: {type: port, interval: 1s, timeout: %s}", span(-just), span(just), span(500 * time.Millisecond), span(500*time.Millisecond + just)},
		{"check.rise", last, last + "\ncheck: {type: port, rise: %s}", number(0), number(1), number(255), nothing},
		{"check.fall", last, last + "\ncheck: {type: port, fall: %s}", number(0), number(1), number(255), nothing},
		{"check.jitter", last, last + "\ncheck: {type: port, jitter: %s}", nothing, number(0), number(50), number(51)},
		{"check.slow_start", last, last + "\ncheck: {type: port, slow_start: %s}", span(-just), span(0), span(time.Hour), span(time.Hour + just)},
		{"services[0].weights[0]", "    balance: rr", "    balance: rr\n    weights: [%s, 1]", number(0), number(1), number(100), number(101)},
		{"limits.embryonic", last, last + "\nlimits: {flows: 100, embryonic: %s}", nothing, nothing, number(100), number(101)},
		{"limits.flows", last, last + "\nlimits: {flows: %s}", number(-1), number(0), number(1 << 28), number(1<<28 + 1)},
	} {
		for _, value := range []struct {
			written string
			fits    bool
		}{{c.below, false}, {c.first, true}, {c.last, true}, {c.beyond, false}} {
			if value.written == "" {
				continue
			}
			if strings.Count(good, c.old) != 1 {
				t.Fatalf("%q stands %d times in the good file, want once", c.old, strings.Count(good, c.old))
			}
			text := strings.Replace(good, c.old, fmt.Sprintf(c.new, value.written), 1)
			_, _, err := parse(filepath.Join(dir, "lb1.yaml"), []byte(text), Options{})
			switch {
			case value.fits && err != nil:
				t.Errorf("%s: %s is refused: %v", c.key, value.written, err)
			case !value.fits && (err == nil || !strings.Contains(err.Error(), ": "+c.key+": ")):
				t.Errorf("%s: %s is not refused by its key: %v", c.key, value.written, err)
			}
		}
	}
}
