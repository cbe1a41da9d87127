package evidence

import (
	"cmp"
	"slices"
	"sort"

	"github.com/gopacket/gopacket/pcapgo"

	"baton/impl/clock"
)

// sieve keeps the frames next to some instants. The instants divide the time into stretches. Of each
// stretch it keeps the first n frames, which follow an instant, and the last n, which precede one.
type sieve struct {
	n         int
	instants  []clock.Instant // by time
	stretches []stretch       // the first is that before all instants
}

type stretch struct {
	first, last []held
	oldest      int // of last, once it is full
}

// held is a frame with a copy of its bytes.
type held struct {
	at   clock.Instant
	port int
	data []byte
}

func newSieve(instants []clock.Instant, n int) *sieve {
	sorted := slices.Compact(slices.Sorted(slices.Values(instants)))
	return &sieve{n: n, instants: sorted, stretches: make([]stretch, len(sorted)+1)}
}

// done reports that no later frame would be kept.
func (s *sieve) done() bool {
	return len(s.instants) == 0 || len(s.stretches[len(s.instants)].first) >= s.n
}

// take offers a frame; the sieve keeps no reference to its data.
func (s *sieve) take(at clock.Instant, port int, data []byte) {
	i := sort.Search(len(s.instants), func(i int) bool { return s.instants[i] > at })
	t := &s.stretches[i]
	switch {
	case i > 0 && len(t.first) < s.n:
		t.first = append(t.first, held{at, port, slices.Clone(data)})
	case i == len(s.instants): // no instant follows
	case len(t.last) < s.n:
		t.last = append(t.last, held{at, port, slices.Clone(data)})
	default:
		replaced := &t.last[t.oldest]
		*replaced = held{at, port, append(replaced.data[:0], data...)}
		t.oldest = (t.oldest + 1) % s.n
	}
}

// frames describes the kept frames, sorted by time.
func (s *sieve) frames(ng *pcapgo.NgReader) []Frame {
	var frames []Frame
	reader := newReader()
	for _, t := range s.stretches {
		for _, h := range slices.Concat(t.first, t.last[t.oldest:], t.last[:t.oldest]) {
			port, _ := ng.Interface(h.port)
			frames = append(frames, Frame{At: h.at, Port: port.Name, Text: reader.describe(h.data)})
		}
	}
	slices.SortStableFunc(frames, func(a, b Frame) int { return cmp.Compare(a.At, b.At) })
	return frames
}
