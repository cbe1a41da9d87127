// Package poller is where an event loop sleeps: one epoll instance over the
// descriptors that it reads, a timer and a wake-up. The loop's thread sits in the
// kernel itself instead of in the Go scheduler, whose timers may come a millisecond
// late, and a timerfd is armed with the loop's deadline as it stands: absolute, in
// nanoseconds. The daemon's loop and the BFD speaker's sleep here.
package poller

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
)

// Poller is the place of one loop. Only Wake may be called from elsewhere than its
// thread.
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

// Add watches a descriptor for input, for as long as it is not read empty.
func (p *Poller) Add(fd int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	return nil
}

// Wait sleeps until a descriptor is readable, somebody called wake, or the
// deadline has come.
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

// Wake ends a wait, from any goroutine.
func (p *Poller) Wake() {
	one := [8]byte{1}
	_, _ = unix.Write(p.wakeup, one[:]) // EAGAIN: it is awake already
}

// Close closes what New opened; watched descriptors stay open.
func (p *Poller) Close() {
	for _, fd := range []int{p.epoll, p.timer, p.wakeup} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
