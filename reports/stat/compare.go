package stat

import (
	"cmp"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Confidence is the confidence level of the intervals that Summarize returns.
const Confidence = 0.95

// Summary is the median of a set of repeats, with its confidence interval.
type Summary struct{ Median, Low, High float64 }

// Summarize summarizes values, of which there is at least one. It assumes no distribution. With too
// few values for an interval Low and High are the minimum and the maximum.
func Summarize(values []float64) Summary {
	s := benchmath.AssumeNothing.Summary(sample(values), Confidence)
	low, high := s.Lo, s.Hi
	if math.IsInf(low, 0) || math.IsInf(high, 0) || math.IsNaN(low) || math.IsNaN(high) {
		low, high = slices.Min(values), slices.Max(values) // too few values for an interval
	}
	return Summary{s.Center, low, high}
}

// MannWhitney returns the p-value of the two-sided Mann-Whitney U test: the probability that two sets
// of identical runs differ at least as much as these.
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

// LeastP is the smallest p-value that the test can give for sets of these sizes, 2 / C(n+m, n): that
// of two sets that do not overlap.
func LeastP(n, m int) float64 {
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	return min(1, 2*math.Exp(lg(n)+lg(m)-lg(n+m)))
}

// Holm corrects the p-values of several tests (Holm 1979). If all tests whose corrected value is below
// alpha are called different, the probability that any of them is wrong is at most alpha.
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
