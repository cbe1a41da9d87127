package sim

import (
	"math/bits"
	"time"
)

// histogram counts round-trip times in buckets of a sixteenth of a power of two
// of microseconds: exact to 6 %, and small enough for a campaign's many lines.
type histogram struct {
	buckets [histogramLen]uint32
	count   uint64
	max     time.Duration
}

const (
	histogramSub = 16
	histogramLen = histogramSub * 28 // up to 2^31 microseconds
)

func (h *histogram) add(d time.Duration) {
	h.count++
	h.max = max(h.max, d)
	us := uint64(max(d, 0) / time.Microsecond)
	h.buckets[bucketOf(us)]++
}

func bucketOf(us uint64) int {
	if us < histogramSub {
		return int(us)
	}
	shift := bits.Len64(us) - 5
	return min((shift+1)*histogramSub+int(us>>shift)-histogramSub, histogramLen-1)
}

// quantile returns the upper bound of the bucket that holds a quantile, in milliseconds.
func (h *histogram) quantile(share float64) float64 {
	rank := uint64(share * float64(h.count))
	var seen uint64
	for i, n := range h.buckets {
		if seen += uint64(n); seen > rank {
			return milliseconds(min(upperBound(i), h.max))
		}
	}
	return milliseconds(h.max)
}

func upperBound(bucket int) time.Duration {
	if bucket < histogramSub {
		return time.Duration(bucket+1) * time.Microsecond
	}
	shift := bucket/histogramSub - 1
	return time.Duration(bucket%histogramSub+histogramSub+1) << shift * time.Microsecond
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
