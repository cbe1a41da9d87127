package transport

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// cable returns a wire and the other end of its connection.
func cable(t *testing.T) (*wire, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	other, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	w, err := newWire(conn)
	if err != nil {
		t.Fatal(err)
	}
	return w, other
}

// TestWritesThatTheKernelDoesNotTakeAreQueuedInOrder: no write blocks while the other end does not
// read. Once it reads, everything arrives, including what is written during the flush.
func TestWritesThatTheKernelDoesNotTakeAreQueuedInOrder(t *testing.T) {
	w, other := cable(t)
	w.detach()
	var number uint64
	write := func() {
		t.Helper()
		b := bytes.Repeat(binary.BigEndian.AppendUint64(nil, number), 500)
		number++
		if n, err := w.Write(b); n != len(b) || err != nil {
			t.Fatalf("write %d: %d bytes of %d, %v", number, n, len(b), err)
		}
	}
	for !w.full() {
		write()
	}
	for range 1000 {
		write()
	}
	flushed := make(chan error, 1)
	go func() { flushed <- w.flush() }()
	for range 10 {
		write()
	}
	r := make([]byte, 8)
	for want := range number {
		for range 500 {
			if _, err := io.ReadFull(other, r); err != nil {
				t.Fatal(err)
			}
			if got := binary.BigEndian.Uint64(r); got != want {
				t.Fatalf("read number %d, want %d", got, want)
			}
		}
	}
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	if w.full() {
		t.Error("something is kept after it has arrived")
	}
	write()
	if _, err := io.ReadFull(other, r); err != nil || binary.BigEndian.Uint64(r) != number-1 {
		t.Errorf("read %d (%v) after the flush, want %d", binary.BigEndian.Uint64(r), err, number-1)
	}
}

func TestAWireWhoseOtherEndIsGoneFails(t *testing.T) {
	w, other := cable(t)
	w.detach()
	other.Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err := w.Write([]byte("to nobody")); err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("writes to a closed connection succeed")
		}
	}
}

// pause is a handler whose reader stops at the first frame until it is released.
type pause struct {
	*recorder
	stopped, release chan struct{}
}

func (p *pause) StreamFrame(id uint64, b []byte) {
	select {
	case <-p.stopped:
	default:
		close(p.stopped)
		<-p.release
	}
	p.recorder.StreamFrame(id, b)
}

// TestSmallFramesKeepTheirOrder: among large ones, which the writer sends, and before and after the
// kernel's buffers are full. The last frame is a small one that was kept.
func TestSmallFramesKeepTheirOrder(t *testing.T) {
	d, l := configs(t)
	p := &pause{newRecorder(), make(chan struct{}), make(chan struct{})}
	tr, err := New(l, p)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, tr)
	defer stop()
	dialler := start(t, d)
	dialler.wait(t, "up 1")
	p.wait(t, "up 1")
	var want []string
	send := func(n int) {
		b := fmt.Appendf(nil, "%06d %s", len(want), bytes.Repeat([]byte{'.'}, n))
		want = append(want, fmt.Sprintf("frame 1: %s", b))
		dialler.Send(1, b)
	}
	send(10)
	<-p.stopped
	s := dialler.current.Load()
	for i := 0; i < 100 || i < 100_000 && !s.wire.full(); i++ { // small ones only
		send(1000)
	}
	if !s.wire.full() {
		t.Fatal("the kernel's buffers never were full")
	}
	close(p.release)
	p.waitFor(t, "frame 1: ", len(want))
	for i := range 300 {
		send(10)
		if i%3 == 0 {
			send(2 * maxNow)
		}
	}
	p.waitFor(t, "frame 1: ", len(want))
	for i, got := range p.list()[1:] {
		if got != want[i] {
			t.Fatalf("frame %d is %.20q, want %.20q", i, got, want[i])
		}
	}
}

// TestASmallFrameDoesNotWaitForTheWriter: a large one does.
func TestASmallFrameDoesNotWaitForTheWriter(t *testing.T) {
	d, l := configs(t)
	listener, dialler := start(t, l), start(t, d)
	dialler.wait(t, "up 1")
	listener.wait(t, "up 1")
	s := dialler.current.Load()
	if !s.sendNow([]byte("small")) {
		t.Fatal("a small frame was not written at once")
	}
	if s.sendNow(make([]byte, maxNow+1)) {
		t.Error("a large frame was written by its sender")
	}
	s.queued.Add(1)
	if s.sendNow([]byte("overtakes")) {
		t.Error("a frame was written before one that is queued")
	}
	s.queued.Add(-1)
	s.writing.Lock()
	if s.sendNow([]byte("overtakes")) {
		t.Error("a frame was written during another one")
	}
	s.writing.Unlock()
	dialler.Send(1, []byte("last"))
	listener.wait(t, "frame 1: last")
	if got := listener.list()[1:]; len(got) != 2 || got[0] != "frame 1: small" {
		t.Errorf("frames %q, want the small and the last", got)
	}
}
