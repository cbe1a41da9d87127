package transport

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// stream is one established connection: a writer that empties a queue, and a reader that
// calls the handler. A small frame does not pass the queue if that is empty.
type stream struct {
	id    uint64
	conn  *tls.Conn
	wire  *wire // below conn
	limit Config

	queue   chan []byte
	queued  atomic.Int64  // bytes queued or being written
	writing sync.Mutex    // held by the goroutine that writes to conn
	kept    chan struct{} // the wire keeps bytes that the writer must flush

	once sync.Once
	done chan struct{} // closed by finish
	end  End           // readable once done is closed
}

// maxFrames is the maximum number of queued frames.
const maxFrames = 1 << 14

func newStream(id uint64, conn *tls.Conn, cfg Config) *stream {
	under := conn.NetConn().(*wire)
	under.detach()
	return &stream{id: id, conn: conn, wire: under, limit: cfg, queue: make(chan []byte, maxFrames), kept: make(chan struct{}, 1), done: make(chan struct{})}
}

// farewellLimit is how long a reset stream may take to send its reason.
const farewellLimit = 200 * time.Millisecond

// finish sets how the stream ends, and reports whether it had not ended yet.
func (s *stream) finish(end End) (first bool) {
	s.once.Do(func() {
		s.end, first = end, true
		close(s.done)
	})
	return first
}

// close ends the stream at once. It closes the TCP connection without TLS's close_notify,
// which could block while the peer does not read.
func (s *stream) close(end End) {
	s.finish(end)
	s.conn.NetConn().Close()
}

// leave ends the stream after sending the reason, which its goroutines do within a limit.
// It does not block.
func (s *stream) leave(end End) {
	if s.finish(end) {
		_ = s.conn.SetDeadline(time.Now().Add(farewellLimit))
	}
}

// ended reports whether the stream has ended.
func (s *stream) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// send writes a frame at once or queues it; it does not block.
func (s *stream) send(payload []byte) {
	if s.ended() {
		return
	}
	if len(payload) > s.limit.MaxFrame {
		s.leave(End{EndedHere, fmt.Sprintf("a frame of %d bytes is longer than %d", len(payload), s.limit.MaxFrame)})
		return
	}
	if s.sendNow(payload) {
		return
	}
	if n := s.queued.Add(int64(len(payload))); n > int64(s.limit.MaxQueued) {
		s.close(End{Overflow, fmt.Sprintf("%d bytes wait, the peer does not read", n)})
		return
	}
	select {
	case s.queue <- payload:
	default:
		s.close(End{Overflow, fmt.Sprintf("%d frames wait, the peer does not read", maxFrames)})
	}
}

// maxNow is the maximum payload that send writes itself. Encrypting a longer one takes more time than
// waking up the writer.
const maxNow = 4 << 10

// sendNow writes a frame if it is small and the queue is empty. The peer waits for such a frame,
// and waking up the writer would delay it.
func (s *stream) sendNow(payload []byte) (sent bool) {
	if len(payload) > maxNow || s.queued.Load() > 0 || !s.writing.TryLock() {
		return false
	}
	defer s.writing.Unlock()
	if s.wire.full() {
		return false
	}
	frame := append(appendHeader(make([]byte, 0, headerLen+len(payload)), len(payload)), payload...)
	if _, err := s.conn.Write(frame); err != nil {
		s.close(End{Lost, "write: " + portless(err)})
		return true
	}
	if s.wire.full() {
		select {
		case s.kept <- struct{}{}:
		default: // the writer has not taken the last one yet
		}
	}
	return true
}

// write writes the queue to the connection. Queued frames are written together.
func (s *stream) write() {
	w := bufio.NewWriterSize(s.conn, 64<<10)
	var header [headerLen]byte
	for {
		select {
		case <-s.done:
			s.sayFarewell(w)
			return
		case <-s.kept:
			if !s.wrote(s.flushWire()) {
				return
			}
		case payload := <-s.queue:
			if !s.wrote(s.writeFrame(w, header[:0], payload)) {
				return
			}
			s.queued.Add(-int64(len(payload)))
		}
	}
}

// wrote reports whether a write has succeeded, and closes the stream if not.
func (s *stream) wrote(err error) bool {
	if err != nil {
		s.close(End{Lost, "write: " + portless(err)})
	}
	return err == nil
}

// writeFrame writes a frame, and flushes unless another one is queued.
func (s *stream) writeFrame(w *bufio.Writer, header, payload []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	_, _ = w.Write(appendHeader(header, len(payload)))
	_, err := w.Write(payload)
	if len(s.queue) == 0 && err == nil {
		err = w.Flush()
	}
	if err != nil {
		return err
	}
	return s.wire.flush()
}

func (s *stream) flushWire() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.wire.flush()
}

// sayFarewell sends the reason. It then reads until the peer has closed: closing a
// connection with unread data resets it, and the reason would be lost.
func (s *stream) sayFarewell(w *bufio.Writer) {
	s.writing.Lock()
	defer s.writing.Unlock()
	_, _ = w.Write(appendFarewell(nil, s.end.Why))
	if w.Flush() == nil && s.wire.flush() == nil {
		_ = s.wire.CloseWrite()
	}
}

// flush waits until the queue is empty, for at most the given time.
func (s *stream) flush(limit time.Duration) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for s.queued.Load() > 0 {
		select {
		case <-s.done:
			return
		case <-deadline.C:
			return
		case <-poll.C:
		}
	}
}

// read passes frames to the handler until the stream ends.
func (s *stream) read(handler Handler) {
	r := bufio.NewReaderSize(s.conn, 64<<10)
	for {
		payload, err := readFrame(r, s.limit.MaxFrame)
		if err != nil {
			s.close(endOf(err))
			return
		}
		if len(payload) > 0 && !s.ended() {
			handler.StreamFrame(s.id, payload)
		}
	}
}

// endOf converts a reader's error to an End.
func endOf(err error) End {
	if said := (*farewell)(nil); errors.As(err, &said) {
		return End{EndedByPeer, said.why}
	}
	if errors.Is(err, io.EOF) {
		return End{Lost, "closed by the peer without a reason"}
	}
	return End{Lost, "read: " + portless(err)}
}
