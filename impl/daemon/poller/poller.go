// Package poller is the sleep of an event loop: one epoll instance over its descriptors, a
// timer and a wake-up. The loop's thread waits in the kernel instead of in the Go
// scheduler, whose timers may be a millisecond late; a timerfd takes the loop's deadline as
// an absolute time in nanoseconds. The loops of the daemon and of the BFD speaker use it.
package poller

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
)

// Poller belongs to one loop's thread. Only Wake may be called from elsewhere.
type Poller struct {
	epoll, timer, wakeup int
	armed                clock.Instant
	events               [8]unix.EpollEvent
}

// New opens a poller that watches nothing yet.
func New() (*Poller, error) {
	p := &Poller{epoll: -1, timer: -1, wakeup: -1, armed: clock.Never}
	if err := p.open(); err != nil {
		p.Close()
		return nil, fmt.Errorf("poller: open: %w", err)
	}
	return p, nil
}

func (p *Poller) open() (err error) {
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if p.timer, err = unix.TimerfdCreate(boottime.ID, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("timerfd: %w", err)
	}
	if p.wakeup, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	return errors.Join(p.Add(p.timer), p.Add(p.wakeup))
}

// Add watches a descriptor for input, level-triggered.
func (p *Poller) Add(fd int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	return nil
}

// Wait sleeps until a descriptor is readable, Wake is called, or the deadline has come.
func (p *Poller) Wait(deadline clock.Instant) error {
	if err := p.arm(deadline); err != nil {
		return err
	}
	n, err := unix.EpollWait(p.epoll, p.events[:], -1)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("poller: epoll wait: %w", err)
	}
	for _, event := range p.events[:n] {
		var buf [8]byte
		switch int(event.Fd) {
		case p.timer:
			p.armed = clock.Never
			_, err = unix.Read(p.timer, buf[:])
		case p.wakeup:
			_, err = unix.Read(p.wakeup, buf[:])
		}
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("poller: read timer or wake-up: %w", err)
		}
	}
	return nil
}

// arm sets the timer; a deadline that has passed fires at once.
func (p *Poller) arm(deadline clock.Instant) error {
	if deadline == p.armed {
		return nil
	}
	var spec unix.ItimerSpec // zero disarms
	if deadline != clock.Never {
		spec.Value = unix.NsecToTimespec(max(int64(deadline), 1))
	}
	if err := unix.TimerfdSettime(p.timer, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		return fmt.Errorf("poller: arm timer: %w", err)
	}
	p.armed = deadline
	return nil
}

// Wake ends a wait. It may be called from any goroutine.
func (p *Poller) Wake() {
	one := [8]byte{1}
	_, _ = unix.Write(p.wakeup, one[:]) // EAGAIN: already woken
}

// Close closes what New opened; watched descriptors stay open.
func (p *Poller) Close() {
	for _, fd := range []int{p.epoll, p.timer, p.wakeup} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
