package deferbench

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A handshake is divided at its own frames. A retransmission does not count, nor does a SYN-ACK that
// never left or whose SYN came before the measurement.
func TestDivide(t *testing.T) {
	const us = time.Microsecond
	syn := func(at time.Duration, l link, out bool, seq uint32) frame {
		return frame{at: at * us, link: l, out: out, syn: true, seq: seq}
	}
	answer := func(at time.Duration, l link, out bool, ack uint32) frame {
		return frame{at: at * us, link: l, out: out, seq: 99, ack: ack}
	}
	frames := []frame{
		answer(1, backend, false, 10), answer(1, client, true, 10),
		{at: 2 * us, link: sync, out: true},
		{at: 3 * us, link: sync},
		syn(5, client, false, 1), syn(6, backend, true, 1),
		syn(8, client, false, 2), // its answer never leaves
		answer(10, backend, false, 2), answer(11, backend, false, 3),
		{at: 15 * us, link: sync, out: true},
		{at: 18 * us, link: sync, out: true},
		syn(20, client, false, 1), // again
		answer(30, backend, false, 2),
		{at: 40 * us, link: sync},
		answer(42, client, true, 2),
		answer(50, backend, false, 2), answer(60, client, true, 2), // again
		syn(70, client, false, 4), answer(71, backend, false, 5), answer(73, client, true, 5), // at once
	}
	// As the listeners return them, link by link.
	var came []frame
	for l := range links {
		for _, f := range frames {
			if f.link == l {
				came = append(came, f)
			}
		}
	}
	want := []Stages{
		{Held: 32 * us, Sent: 10 * us, Peer: 25 * us, Released: 2 * us},
		{Held: 2 * us},
	}
	if diff := cmp.Diff(want, divide(came)); diff != "" {
		t.Error(diff)
	}
}

func TestQuantile(t *testing.T) {
	all := []time.Duration{5, 1, 4, 2, 3}
	self := func(d time.Duration) time.Duration { return d }
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if got := quantile(all, q, self); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := quantile(nil, 0.5, self); got != 0 {
		t.Errorf("quantile of nothing is %v", got)
	}
}

func TestParseCPU(t *testing.T) {
	got, err := parseCPU("17 (a (b) c) S 1 17 17 0 -1 4194560 1 2 3 4 120 35 7 8 20 0 9 0 1 2 3")
	if err != nil || got != 1550*time.Millisecond {
		t.Errorf("CPU time %v (%v), want 1.55s", got, err)
	}
	for _, bad := range []string{"", "17 (a) S 1", "17 (a) S 1 17 17 0 -1 4194560 1 2 3 4 x 35 7"} {
		if _, err := parseCPU(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestBadOptions(t *testing.T) {
	good := Options{Rates: []int{50}, Duration: time.Second}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, bad := range []Options{{Duration: time.Second}, {Rates: []int{0}, Duration: time.Second}, {Rates: []int{50}, Duration: time.Second - 1}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}
