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

// stream is one established connection: a writer that empties a queue and a
// reader that fills the handler.
type stream struct {
	id    uint64
	conn  *tls.Conn
	limit Config

	queue  chan []byte
	queued atomic.Int64 // bytes in queue and in the writer's hands

	once sync.Once
	done chan struct{} // closed by close
	why  string        // readable once done is closed
}

// maxFrames is how many frames may wait in a stream's queue, however small.
const maxFrames = 1 << 14

func newStream(id uint64, conn *tls.Conn, cfg Config) *stream {
	return &stream{id: id, conn: conn, limit: cfg, queue: make(chan []byte, maxFrames), done: make(chan struct{})}
}

// close ends the stream. It closes the TCP connection without TLS's farewell,
// which could block for as long as the peer does not read.
func (s *stream) close(why string) {
	s.once.Do(func() {
		s.why = why
		close(s.done)
		s.conn.NetConn().Close()
	})
}

func (s *stream) reason() string {
	<-s.done
	return s.why
}

func (s *stream) send(payload []byte) {
	if len(payload) > s.limit.MaxFrame {
		s.close(fmt.Sprintf("a frame of %d bytes is longer than %d", len(payload), s.limit.MaxFrame))
		return
	}
	if n := s.queued.Add(int64(len(payload))); n > int64(s.limit.MaxQueued) {
		s.close(fmt.Sprintf("send queue overflow: %d bytes wait, the peer does not read", n))
		return
	}
	select {
	case s.queue <- payload:
	default:
		s.close(fmt.Sprintf("send queue overflow: %d frames wait, the peer does not read", maxFrames))
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
			return
		case payload := <-s.queue:
			_, _ = w.Write(appendHeader(header[:0], len(payload)))
			_, err := w.Write(payload)
			if len(s.queue) == 0 && err == nil {
				err = w.Flush()
			}
			if err != nil {
				s.close("write: " + err.Error())
				return
			}
			s.queued.Add(-int64(len(payload)))
		}
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
		switch {
		case errors.Is(err, io.EOF):
			s.close("closed by the peer")
			return
		case err != nil:
			s.close("read: " + err.Error())
			return
		case len(payload) > 0:
			handler.StreamFrame(s.id, payload)
		}
	}
}
