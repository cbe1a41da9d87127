package ha

import (
	"testing"
	"time"

	"baton/impl/clock"
)

func TestRankOrder(t *testing.T) {
	base := Rank{Able: true, Epoch: 3, Complete: true, Priority: 100, ID: "lb2"}
	above := []struct {
		name string
		rank Rank
	}{
		{"higher epoch beats everything but ability", Rank{Able: true, Epoch: 4, Complete: false, Priority: 1, ID: "z"}},
		{"complete table beats priority", Rank{Able: true, Epoch: 3, Complete: true, Priority: 101, ID: "z"}},
		{"priority beats id", Rank{Able: true, Epoch: 3, Complete: true, Priority: 101, ID: "z"}},
		{"smaller id decides at last", Rank{Able: true, Epoch: 3, Complete: true, Priority: 100, ID: "lb1"}},
	}
	for _, c := range above {
		if c.rank.Compare(base) <= 0 || base.Compare(c.rank) >= 0 {
			t.Errorf("%s: %+v does not rank above %+v", c.name, c.rank, base)
		}
	}
	below := []struct {
		name string
		rank Rank
	}{
		{"a node that is not able ranks last", Rank{Able: false, Epoch: 9, Complete: true, Priority: 255, ID: "a"}},
		{"an incomplete table ranks below", Rank{Able: true, Epoch: 3, Complete: false, Priority: 255, ID: "a"}},
	}
	for _, c := range below {
		if c.rank.Compare(base) >= 0 {
			t.Errorf("%s: %+v does not rank below %+v", c.name, c.rank, base)
		}
	}
}

func TestHoldDownLengthensWhileFlapping(t *testing.T) {
	const delay = 500 * time.Millisecond
	h := NewHold(0, delay)
	if got := h.Ends(); got != clock.Instant(delay) {
		t.Fatalf("first hold ends at %d, want %d", got, delay)
	}
	now := clock.Instant(delay)
	for _, factor := range []int{2, 4, 8, 16, 16} {
		h.Restart(now)
		if got, want := h.Ends().Sub(now), time.Duration(factor)*delay; got != want {
			t.Errorf("hold after a flap: %v, want %v", got, want)
		}
		now = h.Ends()
	}
	now = now.Add(flapWindow * HoldFactorMax * delay)
	h.Restart(now)
	if got := h.Ends().Sub(now); got != delay {
		t.Errorf("hold after a calm time: %v, want %v", got, delay)
	}
}
