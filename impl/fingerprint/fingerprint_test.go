package fingerprint

import (
	"testing"
	"time"

	"baton/impl/clock"
)

const step = 60 * time.Millisecond

func sumOf(absolute bool, add func(*Hash)) uint64 {
	h := New(clock.Instant(time.Hour), step)
	add(h)
	return h.Sum(absolute)
}

func TestWhichDifferencesChangeTheFingerprint(t *testing.T) {
	at := func(d time.Duration) clock.Instant { return clock.Instant(time.Hour).Add(d) }
	counters := func(a, b uint64) func(*Hash) {
		return func(h *Hash) { h.Counter(Epoch, a); h.Counter(Epoch, b) }
	}
	for name, test := range map[string]struct {
		a, b     func(*Hash)
		absolute bool
		same     bool
	}{
		"counters of the same order":      {a: counters(1, 2), b: counters(7, 9), same: true},
		"counters of another order":       {a: counters(1, 2), b: counters(9, 7)},
		"equal counters":                  {a: counters(1, 2), b: counters(7, 7)},
		"a counter of 0":                  {a: counters(0, 2), b: counters(1, 2)},
		"counters with absolute values":   {a: counters(1, 2), b: counters(7, 9), absolute: true},
		"counters of two classes":         {a: counters(1, 2), b: func(h *Hash) { h.Counter(Epoch, 1); h.Counter(Seq, 2) }},
		"instants that have passed":       {a: func(h *Hash) { h.Instant(at(-1)) }, b: func(h *Hash) { h.Instant(at(-time.Minute)) }, same: true},
		"an instant in the future":        {a: func(h *Hash) { h.Instant(at(-1)) }, b: func(h *Hash) { h.Instant(at(1)) }},
		"instants within a step":          {a: func(h *Hash) { h.Instant(at(61e6)) }, b: func(h *Hash) { h.Instant(at(119e6)) }, same: true},
		"instants a step apart":           {a: func(h *Hash) { h.Instant(at(59e6)) }, b: func(h *Hash) { h.Instant(at(61e6)) }},
		"never":                           {a: func(h *Hash) { h.Instant(clock.Never) }, b: func(h *Hash) { h.Instant(at(time.Hour)) }},
		"remembered instants steps apart": {a: func(h *Hash) { h.Remembered(at(-1), step) }, b: func(h *Hash) { h.Remembered(at(-step), step) }},
		"remembered instants long past":   {a: func(h *Hash) { h.Remembered(at(-10*step), step) }, b: func(h *Hash) { h.Remembered(at(-99*step), step) }, same: true},
		"texts that are split otherwise":  {a: func(h *Hash) { h.Text("ab"); h.Text("c") }, b: func(h *Hash) { h.Text("a"); h.Text("bc") }},
		"a set in another order":          {a: setOf(1, 2), b: setOf(2, 1), same: true},
		"another set":                     {a: setOf(1, 2), b: setOf(1, 3)},
		"a flag":                          {a: func(h *Hash) { h.Flag(true) }, b: func(h *Hash) { h.Flag(false) }},
		"a number":                        {a: func(h *Hash) { h.Number(5) }, b: func(h *Hash) { h.Number(6) }},
		"numbers in another order":        {a: func(h *Hash) { h.Number(5); h.Int(6) }, b: func(h *Hash) { h.Number(6); h.Int(5) }},
	} {
		if got := sumOf(test.absolute, test.a) == sumOf(test.absolute, test.b); got != test.same {
			t.Errorf("%s: equal fingerprints: %v, want %v", name, got, test.same)
		}
	}
}

func setOf(items ...uint64) func(*Hash) {
	return func(h *Hash) {
		h.Set(func(add func(func(*Hash))) {
			for _, item := range items {
				add(func(h *Hash) { h.Number(item) })
			}
		})
	}
}
