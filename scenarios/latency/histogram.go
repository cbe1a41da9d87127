package latency

import (
	"math/bits"
	"time"
)

// Histogram counts round-trip times in buckets of a sixteenth of a power of two
// of microseconds: exact to 6 %, and small enough for a campaign's many lines.
type Histogram struct {
	buckets [histogramLen]uint32
	count   uint64
	max     time.Duration
}

const (
	histogramSub = 16
	histogramLen = histogramSub * 28 // up to 2^31 microseconds
)

// Add counts a round trip.
func (h *Histogram) Add(d time.Duration) {
	h.count++
	h.max = max(h.max, d)
	us := uint64(max(d, 0) / time.Microsecond)
	h.buckets[bucketOf(us)]++
}

// Count is how many round trips were counted.
func (h *Histogram) Count() int { return int(h.count) }

// Max is the longest of them.
func (h *Histogram) Max() time.Duration { return h.max }

func bucketOf(us uint64) int {
	if us < histogramSub {
		return int(us)
	}
	shift := bits.Len64(us) - 5
	return min((shift+1)*histogramSub+int(us>>shift)-histogramSub, histogramLen-1)
}

// Quantiles returns, for each of some ascending shares, the upper bound of the bucket
// that holds it.
func (h *Histogram) Quantiles(shares ...float64) []time.Duration {
	quantiles := make([]time.Duration, 0, len(shares))
	var seen uint64
	for i, n := range h.buckets {
		if len(quantiles) == len(shares) {
			break // the buckets above hold none
		}
		for seen += uint64(n); len(quantiles) < len(shares) && seen > uint64(shares[len(quantiles)]*float64(h.count)); {
			quantiles = append(quantiles, min(upperBound(i), h.max))
		}
	}
	for len(quantiles) < len(shares) {
		quantiles = append(quantiles, h.max)
	}
	return quantiles
}

func upperBound(bucket int) time.Duration {
	if bucket < histogramSub {
		return time.Duration(bucket+1) * time.Microsecond
	}
	shift := bucket/histogramSub - 1
	return time.Duration(bucket%histogramSub+histogramSub+1) << shift * time.Microsecond
}
