package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// Bulk traffic follows package netns/traffic: Count transfers run in parallel, and each one that
// ends is followed by the next in its place. A transfer sends at its rate, in portions of whole
// segments.

// transfer is the progress of a transfer at its client.
type transfer struct {
	sent  int           // segments
	got   int           // bytes
	moved clock.Instant // last progress
	again clock.Instant // when the next transfer of this place may begin, after a failure
}

// segments is the number of segments of a transfer.
func (l *line) segments() int { return (l.Size + l.segment() - 1) / l.segment() }

// segment is the length of one segment in bytes.
func (l *line) segment() int { return int(segments[familyOf(l.service.id.VIP)]) }

// allowance is the number of segments that the rate allows this long after the start.
func (l *line) allowance(after time.Duration) int {
	return min(l.segments(), int(after.Seconds()*l.Rate/8/float64(l.segment()))+1)
}

// portion continues the transfer in the next place, or begins the next one there.
func (g *generator) portion() {
	place := g.turn
	if g.turn++; g.turn == g.count {
		g.turn = 0
	}
	if place < len(g.all) {
		switch c := g.w.conns.at(g.all[place]); {
		case c.phase < ended:
			c.move()
			return
		case c.bulk.again > g.w.now:
			return
		}
	}
	if g.ending {
		return
	}
	c := g.connect(g.numberOf(place))
	c.bulk = &transfer{moved: g.w.now}
	if g.line.Up {
		c.unit = uint16(g.line.segment())
	}
	g.line.totals.Sent++
	g.line.totals.Sessions++
	g.live++
	if place < len(g.all) {
		g.all[place] = c.id
	} else {
		g.all = append(g.all, c.id)
	}
}

// move sends as much as the rate allows. It gives up a transfer that has made no progress for
// plan.Standstill.
func (c *conn) move() {
	w := c.gen.w
	if w.now.Sub(c.bulk.moved) > plan.Standstill {
		c.incomplete("stood still for " + w.now.Sub(c.bulk.moved).Round(time.Millisecond).String())
		return
	}
	l := c.gen.line
	if c.phase != established || !l.Up {
		return
	}
	if more := l.allowance(w.now.Sub(c.started)) - c.bulk.sent; more > 0 && c.una == c.end {
		c.bulk.sent += more
		c.bulk.moved = w.now
		c.write(w.now, (*clients)(w), more)
	}
	c.closeHalf(c.bulk.sent == l.segments())
}

// closeHalf closes the sending side once everything is sent, if the line closes that way.
func (c *conn) closeHalf(sent bool) {
	if sent && c.gen.line.Half && c.phase == established {
		c.phase = closing
		c.close(c.gen.w.now, (*clients)(c.gen.w))
	}
}

// ask starts a transfer on an established connection.
func (c *conn) ask() {
	w := c.gen.w
	c.bulk.moved = w.now
	if c.gen.line.Up {
		c.move()
		return
	}
	c.write(w.now, (*clients)(w), 1)
	c.closeHalf(true)
}

// taken handles bytes received by a client: the data of a download, or the final report of an
// upload.
func (c *conn) taken(bytes int, tag uint32, backend uint8) {
	w := c.gen.w
	if c.phase >= ended {
		return
	}
	if tag != c.tag {
		c.wrong("bytes of another flow", backend)
	}
	c.bulk.moved = w.now
	c.bulk.got += bytes
	if c.whole() && c.phase == established {
		c.phase = closing
		c.close(w.now, (*clients)(w))
	}
}

// whole reports whether the client has received everything it waits for.
func (c *conn) whole() bool {
	if c.gen.line.Up {
		return c.bulk.got >= answerLen
	}
	return c.bulk.got >= c.gen.line.segments()*c.gen.line.segment()
}

// incomplete counts a transfer that did not complete.
func (c *conn) incomplete(why string) {
	c.gen.line.totals.Lost++
	c.bulk.again = c.gen.w.now.Add(plan.NextTransfer)
	c.event(trace.TrafficLost, why)
	c.endTransfer()
}

// transferred ends a transfer whose connection was closed gracefully.
func (c *conn) transferred() {
	l := c.gen.line
	if !c.whole() {
		c.incomplete("closed by the other end before its last byte")
		return
	}
	if !c.corrupt {
		l.totals.Opened++
		l.answered(c.started, c.gen.w.now, uint64(l.Size))
	}
	c.endTransfer()
}

// runOut ends a transfer at the end of the run. A transfer that still makes progress does not
// count as failed.
func (c *conn) runOut() {
	if still := c.gen.w.now.Sub(c.bulk.moved); still > connectTime {
		c.incomplete("stood still for " + still.Round(time.Millisecond).String())
		return
	}
	c.endTransfer()
}

func (c *conn) endTransfer() {
	c.gen.line.totals.Sessions--
	c.over()
}

// bulkLine returns the bulk line that a server's connection belongs to, nil for echo traffic.
func (w *World) bulkLine(s *server) *line {
	id, ok := tcpFlow(s.of)
	if !ok || w.conns.at(id).gen.line.Kind != plan.Bulk {
		return nil
	}
	return w.conns.at(id).gen.line
}

// serveBulk reacts once a server has received everything: it reports an upload, or starts to
// send a download.
func (w *World) serveBulk(s *server, l *line) {
	switch {
	case s.began > 0:
	case l.Up && s.partial >= l.segments()*l.segment():
		s.began = w.now
		s.write(w.now, (*backends)(w), 1)
	case !l.Up && s.partial >= requestLen:
		s.began, s.unit = w.now, uint16(l.segment())
		w.sendPortion(s, l)
	}
}

// sendPortion sends as much as the rate allows and reschedules itself until everything is sent.
func (w *World) sendPortion(s *server, l *line) {
	if s.orphan || s.state != tcpEstablished {
		return
	}
	if more := l.allowance(w.now.Sub(s.began)) - s.put; more > 0 && s.una == s.end && !w.hosts[s.host].frozen {
		s.put += more
		s.write(w.now, (*backends)(w), more)
	}
	if s.put < l.segments() {
		w.at(w.now.Add(plan.PortionEvery), func() { w.sendPortion(s, l) })
	} else if s.finReceived {
		s.close(w.now, (*backends)(w))
	}
}

// busy reports whether the server still has to send something that its client waits for.
func (s *server) busy(l *line) bool {
	if l.Up {
		return s.began == 0 && s.partial >= l.segments()*l.segment() // frozen before it could report
	}
	return s.put < l.segments()
}
