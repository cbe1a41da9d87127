package capture

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"baton/impl/clock"
	"baton/scenarios/evidence"
)

// history keeps the latest frames of one edge in bounded memory. Frames around marked
// instants are kept until the capture ends. It is safe for concurrent use.
type history struct {
	mu     sync.Mutex
	budget int                     // bytes
	chunks []*chunk                // oldest first
	marks  [marksMost]atomic.Int64 // clock.Instant; 0 is unused
	// forgotten describes the overwritten frames: those older than all that are kept, and
	// those between the marked ones and the latest.
	forgotten [2]Cut
}

// chunk holds consecutive frames: instant (8), port (2), length on the wire (4), length
// kept (2), bytes.
type chunk struct {
	first, last clock.Instant
	frames      int
	data        []byte
}

const (
	chunkSize   = 64 << 10
	frameHeader = 16
	minChunks   = 8
)

// Around is the time before and after a mark that is kept, limited to half of the memory.
const Around = 2 * time.Second

// marksMost is the maximum number of marked instants.
const marksMost = evidence.FocusMost

// mark protects the frames around an instant. Only the first marksMost calls do. It takes no lock,
// because its caller may hold one.
func (h *history) mark(at clock.Instant) {
	for i := range h.marks {
		if h.marks[i].CompareAndSwap(0, int64(at)) {
			return
		}
	}
}

// keep stores a frame.
func (h *history) keep(at clock.Instant, port int, length int, data []byte) {
	if h.budget == 0 {
		return
	}
	n := len(h.chunks)
	if n == 0 || len(h.chunks[n-1].data)+frameHeader+len(data) > chunkSize {
		h.grow()
		n = len(h.chunks)
	}
	c := h.chunks[n-1]
	if c.frames == 0 {
		c.first = at
	}
	c.last = max(c.last, at)
	c.frames++
	b := binary.NativeEndian.AppendUint64(c.data, uint64(at))
	b = binary.NativeEndian.AppendUint16(b, uint16(port))
	b = binary.NativeEndian.AppendUint32(b, uint32(length))
	b = binary.NativeEndian.AppendUint16(b, uint16(len(data)))
	c.data = append(b, data...)
}

// grow appends an empty chunk: a new one within the budget, else one whose frames are
// overwritten.
func (h *history) grow() {
	if len(h.chunks) < max(minChunks, h.budget/chunkSize) {
		h.chunks = append(h.chunks, &chunk{data: make([]byte, 0, chunkSize)})
		return
	}
	i := h.expendable()
	c := h.chunks[i]
	h.forgotten[min(i, 1)].add(c.first, c.last, c.frames)
	copy(h.chunks[i:], h.chunks[i+1:])
	*c = chunk{data: c.data[:0]}
	h.chunks[len(h.chunks)-1] = c
}

// expendable returns the oldest unprotected chunk. Together the marks protect up to a
// quarter of the chunks before them, as many after them, and their own.
func (h *history) expendable() int {
	var marks []clock.Instant
	for i := range h.marks {
		if at := clock.Instant(h.marks[i].Load()); at != 0 {
			marks = append(marks, at)
		}
	}
	for i := range h.chunks {
		if !slices.ContainsFunc(marks, func(at clock.Instant) bool { return h.protects(at, len(h.chunks)/4/len(marks), i) }) {
			return i
		}
	}
	return 0 // not reached: fewer chunks than all are protected
}

// protects reports whether a mark protects a chunk: it is near in time and within share
// chunks of the mark's.
func (h *history) protects(marked clock.Instant, share, i int) bool {
	at := 0 // the chunk of the mark, or the next one
	for at < len(h.chunks) && h.chunks[at].last < marked {
		at++
	}
	c := h.chunks[i]
	return c.last >= marked.Add(-Around) && c.first <= marked.Add(Around) && i >= at-share && i <= at+share
}

// stored is one kept frame.
type stored struct {
	at           clock.Instant
	port, length int
	data         []byte
}

// each calls f with the frames in capture order. The caller holds the lock; the data are
// valid until it is released.
func (h *history) each(f func(stored)) {
	for _, c := range h.chunks {
		for b := c.data; len(b) > 0; {
			end := frameHeader + int(binary.NativeEndian.Uint16(b[14:]))
			f(stored{
				at: clock.Instant(binary.NativeEndian.Uint64(b)), port: int(binary.NativeEndian.Uint16(b[8:])),
				length: int(binary.NativeEndian.Uint32(b[10:])), data: b[frameHeader:end],
			})
			b = b[end:]
		}
	}
}

// Cut describes missing frames.
type Cut struct {
	From, To clock.Instant
	Frames   int
	// Forgotten means that they were overwritten in memory; otherwise they exceeded the
	// file's limit.
	Forgotten bool
}

func (c *Cut) add(from, to clock.Instant, frames int) {
	if c.Frames == 0 {
		c.From = from
	}
	c.To = max(c.To, to)
	c.Frames += frames
}
