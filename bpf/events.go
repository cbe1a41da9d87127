package bpf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"baton/impl/flow"
)

// ringBytes is the size of a record in the ring: its header, and the record padded to 8 bytes.
func ringBytes(record int) int { return (unix.BPF_RINGBUF_HDR_SZ + record + 7) &^ 7 }

// Poll implements dataplane.Dataplane.
func (d *Dataplane) Poll(limit int, f func(flow.Event)) (more bool, err error) {
	for left := d.reader.AvailableBytes(); limit > 0 && left > 0; limit-- {
		err := d.reader.ReadInto(&d.record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil // a program is still writing the next one, or has discarded it
		}
		if err != nil {
			return false, fmt.Errorf("bpf: read event ring: %w", err)
		}
		left -= ringBytes(len(d.record.RawSample))
		e, err := d.event(d.record.RawSample)
		if err != nil {
			return false, err
		}
		f(e)
	}
	return d.reader.AvailableBytes() > 0, nil
}

// event decodes a ring record. The length of an event determines its family.
func (d *Dataplane) event(sample []byte) (flow.Event, error) {
	if len(sample) >= deferredMin {
		return d.deferredEvent(sample)
	}
	for _, f := range d.families {
		if e, ok := f.event(sample); ok {
			return e, nil
		}
	}
	return flow.Event{}, fmt.Errorf("bpf: read event ring: record of %d bytes", len(sample))
}

func (d *Dataplane) deferredEvent(sample []byte) (flow.Event, error) {
	for _, f := range d.families {
		if e, packet, ok := f.deferred(sample); ok {
			e.Deferred = d.deferral.keep(e.Entry.Original, packet)
			return e, nil
		}
	}
	return flow.Event{}, fmt.Errorf("bpf: read event ring: deferred reply of %d bytes", len(sample))
}

func (f *family[A]) event(sample []byte) (flow.Event, bool) {
	if len(sample) != int(unsafe.Sizeof(rawEvent[A]{})) {
		return flow.Event{}, false
	}
	e := (*rawEvent[A])(unsafe.Pointer(&sample[0]))
	state := flow.State(e.State)
	return flow.Event{Entry: flow.Entry{
		Original: fromTuple(&e.Original), Reply: f.fromReply(&e.Reply),
		State: state, Origin: flow.Origin(e.Origin), Remaining: f.lifetime(&e.Original, &e.Reply, state),
	}}, true
}

// Wait implements dataplane.Dataplane. It consumes nothing: while events are pending, it
// returns at once.
func (d *Dataplane) Wait() error { return d.waiter.wait() }

// waiter blocks on the event ring until it has data or the dataplane closes.
type waiter struct {
	mu     sync.RWMutex // read-locked while waiting, so that close does not close the descriptor
	closed bool
	ring   int
	wakeup int // eventfd that close signals
}

func (w *waiter) open(ring int) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("bpf: eventfd: %w", err)
	}
	w.ring, w.wakeup = ring, fd
	return nil
}

func (w *waiter) wait() error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for !w.closed {
		fds := []unix.PollFd{{Fd: int32(w.ring), Events: unix.POLLIN}, {Fd: int32(w.wakeup), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("bpf: wait for events: %w", err)
		case fds[1].Revents != 0:
			return io.EOF
		case fds[0].Revents != 0:
			return nil
		}
	}
	return io.EOF
}

func (w *waiter) close() error {
	if w.wakeup == 0 {
		return nil
	}
	if _, err := unix.Write(w.wakeup, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return fmt.Errorf("bpf: wake waiter: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	fd := w.wakeup
	w.wakeup = 0
	return unix.Close(fd)
}
