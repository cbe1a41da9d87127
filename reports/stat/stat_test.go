package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestHolmMatchesAKnownExample(t *testing.T) {
	got := Holm([]float64{0.01, 0.04, 0.03, 0.005})
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("%d: %v, want %v", i, got[i], want)
		}
	}
}

// TestLeastPIsWhatTheTestGives: for sets that do not overlap.
func TestLeastPIsWhatTheTestGives(t *testing.T) {
	for n := 2; n <= 12; n++ {
		var a, b []float64
		for i := range n {
			a, b = append(a, float64(i)), append(b, float64(100+i))
		}
		if least, p := LeastP(n, n), MannWhitney(a, b); math.Abs(least-p) > 1e-9 {
			t.Errorf("n=%d: %v, the test gives %v", n, least, p)
		}
	}
}

func TestEqualValuesDoNotDiffer(t *testing.T) {
	zeros := make([]float64, 10)
	if p := MannWhitney(zeros, zeros); p != 1 {
		t.Errorf("p = %v", p)
	}
	if s := Summarize(zeros); s != (Summary{}) {
		t.Errorf("%+v", s)
	}
}

func noise(r *rand.Rand, n int, level float64) []float64 {
	series := make([]float64, n)
	for i := range series {
		series[i] = level * (1 + 0.05*r.NormFloat64())
	}
	return series
}

// TestAPlantedChangeIsFoundWhereItIs: a level a fifth higher, between noise of 5 %.
func TestAPlantedChangeIsFoundWhereItIs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const rounds = 200
	exact := 0
	for range rounds {
		at := 8 + r.IntN(15)
		series := append(noise(r, at, 120), noise(r, 30-at, 144)...)
		changes := Changes(series, 0.01)
		if len(changes) == 1 && changes[0].At >= at-1 && changes[0].At <= at+1 {
			exact++
		}
	}
	if exact < rounds*95/100 {
		t.Errorf("%d of %d changes were found within one point of their place", exact, rounds)
	}
}

func TestTwoChangesAreFound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	series := append(append(noise(r, 15, 120), noise(r, 15, 180)...), noise(r, 15, 100)...)
	changes := Changes(series, 0.01)
	if len(changes) != 2 || changes[0].At != 15 || changes[1].At != 30 {
		t.Errorf("%+v", changes)
	}
}

// TestNoiseHasFewChangePoints: at most a share alpha of the series has one, even with an outlier.
func TestNoiseHasFewChangePoints(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const rounds = 2000
	wrong := 0
	for range rounds {
		series := noise(r, 30, 120)
		series[r.IntN(30)] *= 10
		if len(Changes(series, 0.01)) > 0 {
			wrong++
		}
	}
	if wrong > rounds/100 {
		t.Errorf("%d of %d series of noise have a change", wrong, rounds)
	}
}
