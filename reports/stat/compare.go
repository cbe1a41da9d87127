package stat

import (
	"cmp"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Confidence of the intervals that Summarize gives.
const Confidence = 0.95

// Summary is a set of repeats: the median and its confidence interval.
type Summary struct{ Median, Low, High float64 }

// Summarize assumes nothing of the distribution. values is not empty.
func Summarize(values []float64) Summary {
	s := benchmath.AssumeNothing.Summary(sample(values), Confidence)
	low, high := s.Lo, s.Hi
	if math.IsInf(low, 0) || math.IsInf(high, 0) || math.IsNaN(low) || math.IsNaN(high) {
		low, high = slices.Min(values), slices.Max(values) // too few for an interval
	}
	return Summary{s.Center, low, high}
}

// MannWhitney is the probability that two sets of repeats of the same thing differ
// as these do, by the two-sided Mann-Whitney U test.
func MannWhitney(a, b []float64) float64 {
	p := benchmath.AssumeNothing.Compare(sample(a), sample(b)).P
	if math.IsNaN(p) {
		return 1 // all values are equal
	}
	return p
}

func sample(values []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
}

// LeastP is the smallest probability that the test can give for sets of these sizes:
// that of two sets that do not overlap, 2 / C(n+m, n).
func LeastP(n, m int) float64 {
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	return min(1, 2*math.Exp(lg(n)+lg(m)-lg(n+m)))
}

// Holm corrects the probabilities of several tests (Holm 1979): calling those
// different that come out below alpha is wrong in any of them with a probability of
// at most alpha.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	adjusted := make([]float64, len(p))
	worst := 0.0
	for rank, i := range order {
		worst = max(worst, min(1, p[i]*float64(len(p)-rank)))
		adjusted[i] = worst
	}
	return adjusted
}
