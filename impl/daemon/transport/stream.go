package transport

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// stream is one established connection: a writer that empties a queue and a
// reader that fills the handler.
type stream struct {
	id    uint64
	conn  *tls.Conn
	limit Config

	queue  chan []byte
	queued atomic.Int64 // bytes in queue and in the writer's hands

	once sync.Once
	done chan struct{} // closed by finish
	end  End           // readable once done is closed
}

// maxFrames is how many frames may wait in a stream's queue, however small.
const maxFrames = 1 << 14

func newStream(id uint64, conn *tls.Conn, cfg Config) *stream {
	return &stream{id: id, conn: conn, limit: cfg, queue: make(chan []byte, maxFrames), done: make(chan struct{})}
}

// farewellLimit is how long a stream that was given up may take to say why.
const farewellLimit = 200 * time.Millisecond

// finish notes how the stream ends, and reports whether it had not ended yet.
func (s *stream) finish(end End) (first bool) {
	s.once.Do(func() {
		s.end, first = end, true
		close(s.done)
	})
	return first
}

// close ends the stream at once. It closes the TCP connection without TLS's farewell,
// which could block for as long as the peer does not read.
func (s *stream) close(end End) {
	s.finish(end)
	s.conn.NetConn().Close()
}

// leave ends the stream after telling the peer why, which its goroutines do: it does
// not block, and what does not leave within a limit is not said.
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

// send queues a frame; it does not block.
func (s *stream) send(payload []byte) {
	if s.ended() {
		return
	}
	if len(payload) > s.limit.MaxFrame {
		s.leave(End{EndedHere, fmt.Sprintf("a frame of %d bytes is longer than %d", len(payload), s.limit.MaxFrame)})
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

// write empties the queue into the connection. Frames that wait together leave
// together.
func (s *stream) write() {
	w := bufio.NewWriterSize(s.conn, 64<<10)
	var header [headerLen]byte
	for {
		select {
		case <-s.done:
			s.sayFarewell(w)
			return
		case payload := <-s.queue:
			_, _ = w.Write(appendHeader(header[:0], len(payload)))
			_, err := w.Write(payload)
			if len(s.queue) == 0 && err == nil {
				err = w.Flush()
			}
			if err != nil {
				s.close(End{Lost, "write: " + portless(err)})
				return
			}
			s.queued.Add(-int64(len(payload)))
		}
	}
}

// sayFarewell tells the peer why this end leaves. What the peer still sends is read on
// until it has closed its end: a connection that is closed with unread data resets,
// and the reason would be lost.
func (s *stream) sayFarewell(w *bufio.Writer) {
	_, _ = w.Write(appendFarewell(nil, s.end.Why))
	if w.Flush() == nil {
		_ = s.conn.NetConn().(*net.TCPConn).CloseWrite()
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

// read hands frames over until the stream ends.
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

// endOf is how a stream ends whose reader has failed.
func endOf(err error) End {
	if said := (*farewell)(nil); errors.As(err, &said) {
		return End{EndedByPeer, said.why}
	}
	if errors.Is(err, io.EOF) {
		return End{Lost, "closed by the peer, which did not say why"}
	}
	return End{Lost, "read: " + portless(err)}
}
