package daemon

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
)

// poller is where the loop sleeps: one epoll instance over the BFD sockets, a
// timer and a wake-up. The loop's thread sits in the kernel itself instead of in
// the Go scheduler, whose timers may come a millisecond late, and a timerfd is
// armed with the core's deadline as it stands: absolute, in nanoseconds.
type poller struct {
	epoll, timer, wakeup int
	armed                clock.Instant
	events               [8]unix.EpollEvent
}

func newPoller() (*poller, error) {
	p := &poller{epoll: -1, timer: -1, wakeup: -1, armed: clock.Never}
	if err := p.open(); err != nil {
		p.close()
		return nil, fmt.Errorf("daemon: open the loop's poller: %w", err)
	}
	return p, nil
}

func (p *poller) open() (err error) {
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("timerfd: %w", err)
	}
	if p.wakeup, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	return errors.Join(p.add(p.timer), p.add(p.wakeup))
}

// add watches a descriptor for input, for as long as it is not read empty.
func (p *poller) add(fd int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	return nil
}

// wait sleeps until a descriptor is readable, somebody called wake, or the
// deadline has come.
func (p *poller) wait(deadline clock.Instant) error {
	if err := p.arm(deadline); err != nil {
		return err
	}
	n, err := unix.EpollWait(p.epoll, p.events[:], -1)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("daemon: epoll wait: %w", err)
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
			return fmt.Errorf("daemon: read timer or wake-up: %w", err)
		}
	}
	return nil
}

// arm sets the timer; a deadline that has passed fires at once.
func (p *poller) arm(deadline clock.Instant) error {
	if deadline == p.armed {
		return nil
	}
	var spec unix.ItimerSpec // zero disarms
	if deadline != clock.Never {
		spec.Value = unix.NsecToTimespec(max(int64(deadline), 1))
	}
	if err := unix.TimerfdSettime(p.timer, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		return fmt.Errorf("daemon: arm timer: %w", err)
	}
	p.armed = deadline
	return nil
}

// wake ends a wait, from any goroutine.
func (p *poller) wake() {
	one := [8]byte{1}
	_, _ = unix.Write(p.wakeup, one[:]) // EAGAIN: it is awake already
}

func (p *poller) close() {
	for _, fd := range []int{p.epoll, p.timer, p.wakeup} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// monotonic reads CLOCK_MONOTONIC, the clock of the eBPF programs and of traces.
func monotonic() clock.Instant {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("daemon: CLOCK_MONOTONIC: " + err.Error()) // the kernel has it
	}
	return clock.Instant(t.Nano())
}
