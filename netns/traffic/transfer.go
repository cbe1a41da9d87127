package traffic

import (
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// transfer is the client's end of one transfer.
type transfer struct {
	flowID
	owner   *bulk
	fd      int
	phase   phase
	started clock.Instant
	moved   clock.Instant // when bytes last moved
	payload payload       // sent or received so far
	out     outbox
	report  [reportLen]byte
	filled  int
	corrupt bool          // reported
	again   clock.Instant // earliest start of the next transfer in its slot
}

func (t *transfer) size() uint64 { return uint64(t.line.Size) }

// begin connects.
func (t *transfer) begin(now clock.Instant) {
	t.started, t.moved = now, now
	t.line.count(func(totals *trace.Totals) { totals.Sent++; totals.Sessions++ })
	fd, err := t.owner.loop.dialTCP(t.client, 0, t.line.target, t)
	if t.fd = fd; err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffered)
	}
	if err != nil {
		t.fail(now, err.Error())
	}
}

// buffered limits how much of a transfer waits in a socket. During a fault the bytes should
// be in flight, not in a buffer.
const buffered = 64 << 10

func (t *transfer) ready(now clock.Instant, events uint32) {
	switch {
	case t.phase == ended:
		discard(t.owner.loop, t.fd, events)
	case t.phase == connecting:
		t.connected(now)
	default:
		if events&unix.EPOLLOUT != 0 {
			t.flush(now)
		}
		if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP) != 0 && t.phase != ended {
			t.read(now)
		}
	}
}

func (t *transfer) connected(now clock.Instant) {
	err := socketError(t.fd)
	if err == nil {
		t.phase, t.local, t.moved = established, localAddr(t.fd), now
		var b [requestLen]byte
		ask{transferID: t.payload.transferID, size: t.size(), up: t.line.Up}.put(b[:])
		_, err = t.out.write(kernelStream(t.fd), b[:])
	}
	if err != nil {
		t.fail(now, err.Error())
		return
	}
	t.move(now)
}

// allowance returns how many bytes may have moved by now.
func (t *transfer) allowance(now clock.Instant) uint64 {
	return min(t.size(), uint64(now.Sub(t.started).Seconds()*t.line.Rate/8)+1)
}

// move sends or reads what the rate allows, and gives up a transfer that makes no progress.
func (t *transfer) move(now clock.Instant) {
	if now.Sub(t.moved) > plan.Standstill {
		t.incomplete(now, "stood still for "+rounded(now.Sub(t.moved)))
		return
	}
	if t.phase == connecting {
		return
	}
	for t.line.Up && t.payload.count < t.allowance(now) && len(t.out.waiting) == 0 {
		b := t.owner.loop.buf[:min(uint64(len(t.owner.loop.buf)), t.allowance(now)-t.payload.count)]
		t.payload.next(b)
		if _, err := t.out.write(kernelStream(t.fd), b); err != nil {
			t.fail(now, err.Error())
			return
		}
		t.moved = now
	}
	t.settle(now)
}

// settle watches for the next event, and closes the sending side once all is sent if the
// line closes that way.
func (t *transfer) settle(now clock.Instant) {
	events := uint32(unix.EPOLLIN)
	if !t.mayRead(now) {
		events = 0
	}
	sent := !t.line.Up || t.payload.count == t.size()
	switch {
	case len(t.out.waiting) > 0:
		events |= unix.EPOLLOUT
	case t.line.Half && sent && t.phase == established:
		t.phase = closing
		_ = unix.Shutdown(t.fd, unix.SHUT_WR) // the next read returns its error
	}
	_ = t.owner.loop.watch(t.fd, events)
}

// mayRead reports whether the rate allows reading more.
func (t *transfer) mayRead(now clock.Instant) bool {
	return t.line.Up || t.payload.count == t.size() || t.payload.count < t.allowance(now)
}

func (t *transfer) flush(now clock.Instant) {
	if _, err := t.out.flush(kernelStream(t.fd)); err != nil {
		t.fail(now, err.Error())
		return
	}
	t.moved = now
	t.settle(now)
}

// read reads the transfer's bytes, then its report, then the backend's FIN.
func (t *transfer) read(now clock.Instant) {
	room := uint64(reportLen - t.filled)
	if !t.line.Up && t.payload.count < t.size() {
		if room = t.allowance(now) - t.payload.count; room == 0 {
			t.settle(now)
			return
		}
	}
	n, err := unix.Read(t.fd, t.owner.loop.buf[:min(uint64(len(t.owner.loop.buf)), max(room, 1))])
	switch b := t.owner.loop.buf[:max(n, 0)]; {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		t.fail(now, err.Error())
		return
	case n == 0 && t.filled < reportLen:
		t.incomplete(now, "closed by the other end before its last byte")
		return
	case n == 0:
		t.succeed(now)
		return
	case !t.line.Up && t.payload.count < t.size():
		if !t.payload.take(b) {
			t.reportCorrupt(now, "bytes that were not sent")
		}
	case t.filled < reportLen:
		t.filled += copy(t.report[t.filled:], b)
		t.reported(now)
	default:
		t.reportCorrupt(now, "bytes behind the end")
	}
	t.moved = now
	t.settle(now)
}

// reported checks the report and closes the sending side if it is still open.
func (t *transfer) reported(now clock.Instant) {
	if t.filled < reportLen {
		return
	}
	if err := t.payload.checkReport(t.report[:]); err != nil {
		t.reportCorrupt(now, err.Error())
	}
	if t.phase == established {
		t.phase = closing
		_ = unix.Shutdown(t.fd, unix.SHUT_WR) // the next read returns its error
	}
}

// reportCorrupt counts a transfer once, however many of its bytes are wrong.
func (t *transfer) reportCorrupt(now clock.Instant, why string) {
	if !t.corrupt {
		t.corrupt = true
		t.line.count(func(totals *trace.Totals) { totals.Corrupt++ })
		t.event(now, trace.TrafficCorrupt, why, "")
	}
}

// runOut ends a transfer at the end of the run. A transfer that still makes progress has
// not failed. Its socket stays open: see discard.
func (t *transfer) runOut(now clock.Instant) {
	switch {
	case t.phase == ended:
	case now.Sub(t.moved) > t.line.timeouts.Connect:
		t.incomplete(now, "stood still for "+rounded(now.Sub(t.moved)))
	default:
		t.end()
		_ = t.owner.loop.watch(t.fd, unix.EPOLLIN|unix.EPOLLOUT)
	}
}

func (t *transfer) succeed(now clock.Instant) {
	t.end()
	t.owner.loop.drop(t.fd)
	if !t.corrupt {
		t.line.transferred(t.started, now)
	}
}

// fail ends a transfer after an error of its socket.
func (t *transfer) fail(now clock.Instant, why string) {
	t.incomplete(now, why)
	if t.fd >= 0 {
		t.owner.loop.drop(t.fd)
	}
}

// incomplete counts an incomplete transfer and keeps its socket: see discard.
func (t *transfer) incomplete(now clock.Instant, why string) {
	t.end()
	t.again = now.Add(plan.NextTransfer)
	t.line.count(func(totals *trace.Totals) { totals.Lost++ })
	t.event(now, trace.TrafficLost, why, "")
	if t.fd >= 0 {
		_ = t.owner.loop.watch(t.fd, unix.EPOLLIN|unix.EPOLLOUT)
	}
}

func (t *transfer) end() {
	t.phase = ended
	t.line.count(func(totals *trace.Totals) { totals.Sessions-- })
}
