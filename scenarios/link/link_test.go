package link

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
)

func mustNew(t testing.TB, p Params, seed uint64) *Model {
	t.Helper()
	m, err := New(p, seed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// send sends n packets of a size, one each interval, and returns their deliveries.
func send(m *Model, n, size int, interval time.Duration) [][]Delivery {
	all := make([][]Delivery, n)
	now := clock.Instant(0)
	for i := range all {
		all[i] = slices.Clone(m.Fate(now, size))
		now = now.Add(interval)
	}
	return all
}

func TestAPerfectWireTakesNoTime(t *testing.T) {
	for i, d := range send(mustNew(t, Params{}, 1), 1000, 1500, time.Microsecond) {
		if want := (Delivery{At: clock.Instant(i) * 1000}); len(d) != 1 || d[0] != want {
			t.Fatalf("packet %d: %v, want %v", i, d, want)
		}
	}
}

// The shares that are asked for are the shares that happen, to four standard
// deviations of what chance allows.
func TestSharesAreWhatIsAsked(t *testing.T) {
	const n = 200_000
	p := Params{Delay: time.Millisecond, Loss: 0.05, Duplicate: 0.02, Reorder: 0.1, HoldBack: time.Millisecond, Corrupt: 0.03}
	m := mustNew(t, p, 7)
	send(m, n, 100, time.Microsecond)
	s := m.Stats()
	arrived := float64(n) * (1 - p.Loss)
	for _, c := range []struct {
		name  string
		got   uint64
		of, p float64
	}{
		{"lost", s.Lost, n, p.Loss}, {"duplicated", s.Duplicated, arrived, p.Duplicate},
		{"reordered", s.Reordered, arrived, p.Reorder}, {"corrupted", s.Corrupted, arrived, p.Corrupt},
	} {
		sigma := math.Sqrt(c.of * c.p * (1 - c.p))
		if diff := math.Abs(float64(c.got) - c.of*c.p); diff > 4*sigma {
			t.Errorf("%s: %d of %.0f, want %.0f ± %.0f", c.name, c.got, c.of, c.of*c.p, 4*sigma)
		}
	}
}

func TestBurstsHaveTheirLengthAndShare(t *testing.T) {
	const n = 400_000
	b := Burst{Begin: 0.01, End: 0.2, Loss: 1}
	bursts, lost, in := 0, 0, false
	for _, d := range send(mustNew(t, Params{Burst: b}, 3), n, 100, time.Microsecond) {
		if len(d) == 0 {
			lost++
			if !in {
				bursts++
			}
		}
		in = len(d) == 0
	}
	if share, want := float64(lost)/n, b.Begin/(b.Begin+b.End); math.Abs(share-want) > 0.1*want {
		t.Errorf("%.4f of the packets are in bursts, want %.4f", share, want)
	}
	if length, want := float64(lost)/float64(bursts), 1/b.End; math.Abs(length-want) > 0.1*want {
		t.Errorf("bursts last %.2f packets, want %.2f", length, want)
	}
}

func TestJitterIsEvenAroundTheDelay(t *testing.T) {
	p := Params{Delay: 10 * time.Millisecond, Jitter: 4 * time.Millisecond}
	sum, least, most := 0.0, time.Hour, time.Duration(0)
	const n = 50_000
	for i, d := range send(mustNew(t, p, 5), n, 100, 20*time.Millisecond) {
		took := d[0].At.Sub(clock.Instant(i) * clock.Instant(20*time.Millisecond))
		sum, least, most = sum+took.Seconds(), min(least, took), max(most, took)
	}
	if mean := sum / n * 1000; math.Abs(mean-10) > 0.1 {
		t.Errorf("mean delay %.3f ms, want 10", mean)
	}
	if least < 6*time.Millisecond || least > 6100*time.Microsecond || most > 14*time.Millisecond || most < 13900*time.Microsecond {
		t.Errorf("delays from %v to %v, want 6ms to 14ms", least, most)
	}
}

// A packet that is held back is overtaken; those behind it do not wait for it.
func TestHeldBackPacketsAreOvertaken(t *testing.T) {
	p := Params{Delay: time.Millisecond, Reorder: 0.1, HoldBack: 5 * time.Millisecond}
	held := 0
	for i, d := range send(mustNew(t, p, 9), 1000, 100, time.Millisecond) {
		switch took := d[0].At.Sub(clock.Instant(i) * clock.Instant(time.Millisecond)); took {
		case p.Delay:
		case p.Delay + p.HoldBack:
			held++
		default:
			t.Fatalf("packet %d took %v", i, took)
		}
	}
	if held < 60 || held > 140 {
		t.Errorf("%d of 1000 packets were held back, want about 100", held)
	}
}

func anyParams() *rapid.Generator[Params] {
	return rapid.Custom(func(t *rapid.T) Params {
		share := func(name string) float64 { return rapid.Float64Range(0, 0.5).Draw(t, name) }
		p := Params{
			Delay: time.Duration(rapid.Int64Range(0, int64(50*time.Millisecond)).Draw(t, "delay")),
			Loss:  share("loss"), Burst: Burst{Begin: share("begin"), End: 0.1 + share("end"), Loss: share("bad"), Good: share("good")},
			Duplicate: share("duplicate"), Reorder: share("reorder"), HoldBack: time.Millisecond, Corrupt: share("corrupt"),
			Rate:  rapid.SampledFrom([]int64{0, 1e5, 1e7}).Draw(t, "rate"),
			Queue: rapid.SampledFrom([]time.Duration{0, time.Millisecond, 20 * time.Millisecond}).Draw(t, "queue"),
		}
		p.Jitter = time.Duration(rapid.Int64Range(0, int64(p.Delay)).Draw(t, "jitter"))
		return p
	})
}

type packet struct {
	at   clock.Instant
	size int
}

func someTraffic() *rapid.Generator[[]packet] {
	return rapid.Custom(func(t *rapid.T) []packet {
		var now clock.Instant
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) packet {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Millisecond)).Draw(t, "pause")))
			return packet{now, rapid.IntRange(1, 1500).Draw(t, "size")}
		}), 1, 200).Draw(t, "packets")
	})
}

func run(t *rapid.T, p Params, seed uint64, traffic []packet) [][]Delivery {
	m, err := New(p, seed)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]Delivery
	for _, packet := range traffic {
		all = append(all, slices.Clone(m.Fate(packet.at, packet.size)))
	}
	return all
}

// A seed replays the link; nothing arrives before it could, and a flipped bit is
// one of the packet's.
func TestLinksAreDeterministicAndDeliverNothingEarly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, seed, traffic := anyParams().Draw(t, "params"), rapid.Uint64().Draw(t, "seed"), someTraffic().Draw(t, "traffic")
		fates := run(t, p, seed, traffic)
		if again := run(t, p, seed, traffic); !slices.EqualFunc(fates, again, slices.Equal[[]Delivery]) {
			t.Fatal("the same seed gave another run")
		}
		for i, fate := range fates {
			for _, d := range fate {
				if d.At < traffic[i].at.Add(p.Delay-p.Jitter) {
					t.Fatalf("packet %d, sent at %d, arrives at %d", i, traffic[i].at, d.At)
				}
				if d.Corrupt && (d.Bit < 0 || d.Bit >= 8*traffic[i].size) {
					t.Fatalf("bit %d of %d bytes", d.Bit, traffic[i].size)
				}
			}
		}
	})
}

// Only packets that are held back arrive out of order.
func TestOnlyReorderReorders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, seed, traffic := anyParams().Draw(t, "params"), rapid.Uint64().Draw(t, "seed"), someTraffic().Draw(t, "traffic")
		p.Reorder = 0
		var last clock.Instant
		for i, fate := range run(t, p, seed, traffic) {
			for _, d := range fate {
				if d.At < last {
					t.Fatalf("packet %d arrives at %d, the one before at %d", i, d.At, last)
				}
				last = d.At
			}
		}
	})
}

// More loss loses more packets, and no other ones are saved by it.
func TestLossIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, seed, traffic := anyParams().Draw(t, "params"), rapid.Uint64().Draw(t, "seed"), someTraffic().Draw(t, "traffic")
		worse := p
		worse.Loss = min(1, p.Loss+rapid.Float64Range(0, 0.5).Draw(t, "more"))
		before, after := run(t, p, seed, traffic), run(t, worse, seed, traffic)
		for i := range before {
			if len(before[i]) == 0 && len(after[i]) > 0 {
				t.Fatalf("packet %d is saved by more loss", i)
			}
		}
	})
}

// No stretch of time carries more than the rate, and no packet waits longer than
// the queue allows.
func TestRateAndQueueBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traffic := someTraffic().Draw(t, "traffic")
		p := Params{Rate: rapid.SampledFrom([]int64{1e5, 1e6, 1e7}).Draw(t, "rate"), Queue: 5 * time.Millisecond}
		var arrived []clock.Instant
		var sizes []int
		for i, fate := range run(t, p, 1, traffic) {
			if len(fate) == 0 {
				continue
			}
			arrived, sizes = append(arrived, fate[0].At), append(sizes, traffic[i].size)
			own := time.Duration(float64(8*traffic[i].size) / float64(p.Rate) * 1e9)
			if wait := fate[0].At.Sub(traffic[i].at) - own; wait > p.Queue+time.Microsecond {
				t.Fatalf("packet %d waits %v", i, wait)
			}
		}
		for i := range arrived {
			bits := 0
			for j := i + 1; j < len(arrived); j++ {
				bits += 8 * sizes[j]
				if took := arrived[j].Sub(arrived[i]); float64(bits) > took.Seconds()*float64(p.Rate)*1.0001+1 {
					t.Fatalf("%d bits in %v at %d bit/s", bits, took, p.Rate)
				}
			}
		}
	})
}

// TestAQueueWithoutABoundHoldsAll: what waits arrives, one packet after the other; with a bound what would wait
// longer is lost.
func TestAQueueWithoutABoundHoldsAll(t *testing.T) {
	const n, each = 100, time.Millisecond // 1000 bytes at 8 Mbit/s
	for _, c := range []struct {
		queue   time.Duration
		arrives int
	}{{0, n}, {10 * each, 11}, {n * each, n}} {
		m := mustNew(t, Params{Rate: 8_000_000, Queue: c.queue}, 1)
		arrived := 0
		for _, d := range send(m, n, 1000, 0) {
			if arrived += len(d); len(d) > 0 && d[0].At != clock.Instant(arrived)*clock.Instant(each) {
				t.Errorf("queue %v: packet %d arrives at %v", c.queue, arrived, time.Duration(d[0].At))
			}
		}
		if arrived != c.arrives || m.Stats().LostToQueue != uint64(n-c.arrives) {
			t.Errorf("queue %v: %d of %d packets arrive, %d are lost to it; want %d", c.queue, arrived, n, m.Stats().LostToQueue, c.arrives)
		}
	}
}

func TestParamsAreChecked(t *testing.T) {
	for _, test := range []struct {
		params Params
		want   string
	}{
		{Params{Loss: 1.5}, "loss 1.5 is not from 0 to 1"}, {Params{Corrupt: math.NaN()}, "corrupt NaN"},
		{Params{Loss: -0.1}, "loss -0.1 is not from 0 to 1"}, {Params{Burst: Burst{Good: 2}}, "loss outside of bursts 2"},
		{Params{Delay: -1}, "delay -1ns"}, {Params{Queue: -1}, "queue -1ns"}, {Params{Reorder: 0.1, HoldBack: -1}, "hold-back -1ns"},
		{Params{Rate: -1}, "rate -1"}, {Params{Packets: -1}, "-1 packets a second"}, {Params{MTU: -1}, "MTU -1"}, {Params{Jitter: -1}, "jitter -1ns"},
		{Params{Jitter: 2, Delay: 1}, "jitter 2ns is not from 0 to the delay 1ns"},
		{Params{Reorder: 0.1}, "without a time to hold back"}, {Params{Burst: Burst{Begin: 0.1}}, "never ends"},
	} {
		if _, err := New(test.params, 1); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.params, err, test.want)
		}
	}
}

func BenchmarkFate(b *testing.B) {
	m := mustNew(b, Params{Delay: time.Millisecond, Jitter: time.Millisecond / 2, Loss: 0.01, Burst: Burst{0.001, 0.1, 1, 0}, Rate: 1e9}, 1)
	now := clock.Instant(0)
	b.ReportAllocs()
	for b.Loop() {
		now += 12_000
		m.Fate(now, 1500)
	}
}
