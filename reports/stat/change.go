package stat

import (
	"math"
	"slices"
)

// Change is a point at which a series changed its level.
type Change struct {
	At int // index of the first value of the new level
	P  float64
}

// minSegment is the shortest level that Changes reports. With fewer points on one side
// Pettitt's test cannot become significant.
const minSegment = 4

// Changes finds where a series changed its level. Pettitt's test (A. N. Pettitt, "A
// non-parametric approach to the change-point problem", Applied Statistics 28, 1979)
// decides whether there is a change: its p-value must be below alpha. The change point
// is the one that minimizes the absolute deviations from the medians of both sides.
// Both sides are then searched in turn (binary segmentation). The test assumes no
// distribution, so a single outlier is no change.
func Changes(series []float64, alpha float64) []Change {
	changes := segment(series, 0, alpha)
	slices.SortFunc(changes, func(a, b Change) int { return a.At - b.At })
	return changes
}

func segment(series []float64, offset int, alpha float64) []Change {
	if len(series) < 2*minSegment {
		return nil
	}
	p := pettitt(series)
	if p >= alpha {
		return nil
	}
	at := changePoint(series)
	changes := []Change{{offset + at, p}}
	changes = append(changes, segment(series[:at], offset, alpha)...)
	return append(changes, segment(series[at:], offset+at, alpha)...)
}

// pettitt returns the approximate p-value of Pettitt's test.
func pettitt(series []float64) float64 {
	n := len(series)
	u, most := 0, 0
	for t := range n - 1 {
		for j := range n {
			u += sign(series[t] - series[j])
		}
		most = max(most, u, -u)
	}
	k, size := float64(most), float64(n)
	return min(1, 2*math.Exp(-6*k*k/(size*size*size+size*size)))
}

// changePoint returns the index at which two levels, none shorter than minSegment, fit the series best.
func changePoint(series []float64) int {
	best, at := math.Inf(1), minSegment
	for t := minSegment; t <= len(series)-minSegment; t++ {
		if left := deviation(series[:t]) + deviation(series[t:]); left < best {
			best, at = left, t
		}
	}
	return at
}

// deviation returns the sum of the absolute deviations from the median.
func deviation(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle, sum := sorted[len(sorted)/2], 0.0
	for _, v := range values {
		sum += math.Abs(v - middle)
	}
	return sum
}

func sign(x float64) int {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}
