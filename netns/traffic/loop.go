package traffic

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// loop is a single-threaded reactor: one locked thread, one epoll, one timerfd. Generators
// of all clients and echo servers of all backends run on it without locks. With both ends
// on one thread a message costs about one wake-up, since the request is in the server's
// socket when the send returns. A goroutine per session, or a second thread for the
// servers, would cost several, and the Go scheduler would decide the send times.
type loop struct {
	epoll, timer, wake int
	namespace          int      // of the thread; -1 for its original one
	sources            []source // by file descriptor
	generators         []generator
	armed              clock.Instant
	raised             bool // above the process's other threads
	posted             chan func()
	stopping           bool
	finished           chan struct{}

	latest atomic.Int64  // maximum lateness of a wake-up, ns
	told   clock.Instant // lateness before this instant has been reported
	late   func(trace.Stall, clock.Instant)
	tid    atomic.Int64
	buf    [64 << 10]byte // for reads; valid within one handler call
}

// handler is called when its descriptor is ready, with the epoll events.
type handler interface {
	ready(now clock.Instant, events uint32)
}

// generator is one client's share of one line. The loop calls fire at the deadline, and
// finish when the load must end.
type generator interface {
	deadline() clock.Instant
	fire(now clock.Instant)
	finish(now clock.Instant, e *ending)
	// breakOff aborts the load because its client has ended: open connections are neither
	// lost nor failed. It closes no socket.
	breakOff(now clock.Instant)
	// resume continues after the client was frozen from an instant until now: messages
	// meant for that time are skipped, and waits that include it are not counted.
	resume(from, now clock.Instant)
}

// source is a registered descriptor. The generation distinguishes it from an earlier one
// with the same number, whose events may still be in the batch.
type source struct {
	handler    handler
	generation int32
	events     uint32
	watched    bool   // false after forget
	owner      string // machine that owns the socket, "" for the loop's own
	socket     closer // nil for one of the kernel
}

// newLoop prepares a loop; run runs it. late is called when a wake-up or an action came at least
// noteworthyLateness after its time.
func newLoop(late func(trace.Stall, clock.Instant)) (*loop, error) {
	l := &loop{epoll: -1, timer: -1, wake: -1, namespace: -1, armed: clock.Never, told: math.MinInt64, late: late,
		posted: make(chan func(), 64), finished: make(chan struct{})}
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("traffic: create epoll: %w", err)
	}
	if l.timer, err = unix.TimerfdCreate(boottime.ID, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		l.release()
		return nil, fmt.Errorf("traffic: create timerfd: %w", err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		l.release()
		return nil, fmt.Errorf("traffic: create eventfd: %w", err)
	}
	err = errors.Join(l.add("", l.timer, unix.EPOLLIN, nil), l.add("", l.wake, unix.EPOLLIN, wakeHandler{l}))
	if err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// add registers a machine's descriptor. A nil handler only wakes the loop.
func (l *loop) add(owner string, fd int, events uint32, h handler) error {
	if fd >= len(l.sources) {
		l.sources = append(l.sources, make([]source, fd+1-len(l.sources))...)
	}
	s := &l.sources[fd]
	s.handler, s.owner, s.events, s.watched = h, owner, events, true
	s.generation++
	e := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: s.generation}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("traffic: watch descriptor %d: %w", fd, err)
	}
	return nil
}

// forget stops watching a descriptor; add can register it again.
func (l *loop) forget(fd int) error {
	l.sources[fd].generation++
	l.sources[fd].watched = false
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil); err != nil {
		return fmt.Errorf("traffic: stop watching descriptor %d: %w", fd, err)
	}
	return nil
}

// watch changes the events for which a registered descriptor waits.
func (l *loop) watch(fd int, events uint32) error {
	l.sources[fd].events = events
	e := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: l.sources[fd].generation}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, fd, &e); err != nil {
		return fmt.Errorf("traffic: watch descriptor %d: %w", fd, err)
	}
	return nil
}

// drop closes a registered descriptor, which also removes it from epoll.
func (l *loop) drop(fd int) {
	var s closer = kernelStream(fd)
	if other := l.sources[fd].socket; other != nil {
		s = other
	}
	l.sources[fd].handler, l.sources[fd].socket = nil, nil
	l.sources[fd].generation++
	s.Close()
}

// post runs f on the loop. It returns false once the loop has ended.
func (l *loop) post(f func()) bool {
	select {
	case l.posted <- f:
	case <-l.finished:
		return false
	}
	one := [8]byte{1}
	_, _ = unix.Write(l.wake, one[:])
	return true
}

// call posts f and waits until it has run.
func (l *loop) call(f func()) {
	done := make(chan struct{})
	if !l.post(func() { f(); close(done) }) {
		return
	}
	select {
	case <-done:
	case <-l.finished:
	}
}

// stop ends the loop, waits for it, and closes every registered descriptor.
func (l *loop) stop() {
	l.post(func() { l.stopping = true })
	<-l.finished
}

// enter moves the loop's thread into a network namespace, so that the next socket opens
// there. Call it on the loop.
func (l *loop) enter(namespace int) error {
	if namespace == l.namespace {
		return nil
	}
	if err := unix.Setns(namespace, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("traffic: enter network namespace: %w", err)
	}
	l.namespace = namespace
	return nil
}

// run is the loop. It never releases its thread, which may be in any namespace when the
// loop ends.
func (l *loop) run() {
	runtime.LockOSThread()
	defer close(l.finished)
	defer l.release()
	l.tid.Store(int64(unix.Gettid()))
	if l.raised {
		raiseThread()
	}

	events := make([]unix.EpollEvent, 256)
	for !l.stopping {
		timeout := -1
		if l.arm(l.tick()) {
			timeout = 0
		}
		n, err := unix.EpollWait(l.epoll, events, timeout)
		if err != nil && err != unix.EINTR {
			panic(fmt.Sprintf("traffic: epoll of a descriptor of our own: %v", err))
		}
		now := hostclock.Now()
		if timeout < 0 && !l.armed.After(now) {
			l.noteLateness(now.Sub(l.armed), now)
		}
		for _, e := range events[:max(n, 0)] {
			s := l.sources[e.Fd]
			if s.handler != nil && s.generation == e.Pad {
				s.handler.ready(now, e.Events)
			}
		}
	}
}

// noteworthyLateness is the lateness from which a wake-up or an action is reported.
const noteworthyLateness = 10 * time.Millisecond

// tick fires what is due and returns the next deadline.
func (l *loop) tick() clock.Instant {
	next := clock.Never
	for _, g := range l.generators {
		if now := hostclock.Now(); !g.deadline().After(now) {
			g.fire(now)
		}
		next = min(next, g.deadline())
	}
	return next
}

func (l *loop) noteLateness(by time.Duration, now clock.Instant) {
	if int64(by) > l.latest.Load() {
		l.latest.Store(int64(by))
	}
	l.report(trace.Stall{Took: trace.Dur(by)}, now)
}

// report reports lateness unless an earlier report covers its beginning. So a loop that never
// catches up reports each period once.
func (l *loop) report(s trace.Stall, now clock.Instant) {
	if took := time.Duration(s.Took); took >= noteworthyLateness && l.late != nil && now.Add(-took) >= l.told {
		l.told = now
		l.late(s, now)
	}
}

// acted counts an action of a line that has just been done. It detects lateness that the timer does
// not show: a loop that never sleeps, or an action that itself takes long.
func (l *loop) acted(on *line, intended clock.Instant) {
	now := hostclock.Now()
	by := now.Sub(intended)
	on.acted(by)
	l.report(trace.Stall{Took: trace.Dur(by), Line: on.Name}, now)
}

// arm sets the timer. If the instant has passed, it sets nothing and returns true. A
// timerfd with an absolute time has no timer slack.
func (l *loop) arm(next clock.Instant) (overdue bool) {
	if !next.After(hostclock.Now()) {
		return true
	}
	if next == l.armed {
		return false
	}
	var spec unix.ItimerSpec
	if next != clock.Never {
		spec.Value = unix.NsecToTimespec(max(int64(next), 1))
	}
	if err := unix.TimerfdSettime(l.timer, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		panic(fmt.Sprintf("traffic: arm the loop's own timer for %d: %v", next, err))
	}
	l.armed = next
	return false
}

// cpu returns the CPU time of the loop's thread.
func (l *loop) cpu() time.Duration {
	tid := l.tid.Load()
	if tid == 0 {
		return 0
	}
	return hostclock.ThreadCPU(int(tid))
}

// release closes every registered descriptor and the loop's own.
func (l *loop) release() {
	for fd, s := range l.sources {
		if s.handler != nil && fd != l.wake {
			l.drop(fd)
		}
	}
	for _, fd := range []int{l.timer, l.wake, l.epoll} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// wakeHandler runs the posted functions.
type wakeHandler struct{ loop *loop }

func (w wakeHandler) ready(clock.Instant, uint32) {
	var count [8]byte
	_, _ = unix.Read(w.loop.wake, count[:])
	for {
		select {
		case f := <-w.loop.posted:
			f()
		default:
			return
		}
	}
}
