package sim

import (
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
)

// TestHowASessionEnds lists the ways in which a session ends, the event of each and its effect on
// the line's totals.
func TestHowASessionEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		edit   func(c *conn, s *clients)
		event  string // "" for none
		why    string
		failed bool // of the totals: failed, else lost if the event says so
	}{
		{"a RST", func(c *conn, s *clients) { s.reset(&c.endpoint, "reset") }, trace.TrafficLost, "reset", false},
		{"a RST while it closes", func(c *conn, s *clients) { c.leave(); s.reset(&c.endpoint, "reset") }, trace.TrafficLost, "reset while closing", false},
		{"a RST before it was established", func(c *conn, s *clients) { c.phase = connecting; s.reset(&c.endpoint, "refused") }, trace.TrafficFailed, "refused", true},
		{"the other end closes", func(c *conn, s *clients) { s.halfClosed(&c.endpoint) }, trace.TrafficLost, "closed by the other end", false},
		{"the other end closes, too, while it closes", func(c *conn, s *clients) { c.leave(); s.halfClosed(&c.endpoint) }, "", "", false},
		{"closed in order", func(c *conn, s *clients) { c.leave(); s.finished(&c.endpoint) }, trace.TrafficDone, "", false},
		{"closed without its last answer", func(c *conn, s *clients) {
			c.gen.line.Half = true
			c.waits = append(c.waits, s.now)
			c.leave()
			s.finished(&c.endpoint)
		}, trace.TrafficLost, "closed by the other end before its last answer", false},
		{"its time ends", func(c *conn, s *clients) {
			c.waits = append(c.waits, s.now.Add(-time.Second))
			c.giveUp()
		}, trace.TrafficLost, trace.Silence(trace.NoAnswer, time.Second), false},
		{"its time ends while it closes", func(c *conn, _ *clients) { c.leave(); c.giveUp() }, trace.TrafficDone, "the close was not answered", false},
		{"its time ends while it closes without its last answer", func(c *conn, s *clients) {
			c.gen.line.Half = true
			c.waits = append(c.waits, s.now.Add(-time.Second))
			c.leave()
			c.giveUp()
		}, trace.TrafficLost, trace.Silence(trace.NoAnswer, time.Second), false},
		{"its time to be established ends", func(c *conn, s *clients) {
			c.phase, c.started = connecting, s.now.Add(-connectTime)
			c.expire()
		}, trace.TrafficFailed, trace.Silence(trace.NoConnection, connectTime), true},
		{"a moment before that", func(c *conn, s *clients) {
			c.phase, c.started = connecting, s.now.Add(1-connectTime)
			c.expire()
		}, "", "", false},
		{"the same time of one that is established", func(c *conn, s *clients) {
			c.started = s.now.Add(-connectTime)
			c.expire()
		}, "", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := settled(t)
			c := o.conns.at(o.generators[0].all[0])
			c.waits = nil
			totals, live, from := &c.gen.line.totals, c.gen.live, len(o.events)
			before := *totals
			test.edit(c, (*clients)(o.World))
			var events []trace.Event
			for _, e := range o.events[from:] {
				if e.Traffic != nil {
					events = append(events, e)
				}
			}
			switch {
			case test.event == "" && len(events) == 0 && c.gen.live == live && totals.Sessions == before.Sessions && totals.Failed == before.Failed:
				return
			case test.event == "" || len(events) != 1 || events[0].Traffic.Event != test.event || events[0].Traffic.Why != test.why:
				t.Fatalf("told %+v, want %s (%s) alone", events, test.event, test.why)
			}
			lost, failed, sessions := 0, 0, -1
			switch {
			case test.failed:
				failed, sessions = 1, 0
			case test.event == trace.TrafficLost:
				lost = 1
			}
			if totals.Lost-before.Lost != lost || totals.Failed-before.Failed != failed || totals.Sessions-before.Sessions != sessions || c.gen.live != live-1 || c.phase != ended {
				t.Errorf("lost %d, failed %d, sessions %d, live %d, phase %d; want %d, %d, %d, -1, ended",
					totals.Lost-before.Lost, totals.Failed-before.Failed, totals.Sessions-before.Sessions, c.gen.live-live, c.phase, lost, failed, sessions)
			}
			from, sent := len(o.events), totals.Sent
			(*clients)(o.World).reset(&c.endpoint, "reset again")
			c.say()
			if len(o.events) != from || totals.Sent != sent {
				t.Error("a session that has ended ends again, or sends")
			}
		})
	}
}

// TestALostSessionWithoutAnAnswerWasOpened: it was established, so its loss counts, and its opening is
// recorded before the loss.
func TestALostSessionWithoutAnAnswerWasOpened(t *testing.T) {
	o := settled(t)
	c := o.conns.at(o.generators[0].all[0])
	c.backend, c.waits = nobody, nil
	from := len(o.events)
	c.lose("reset")
	var told []string
	for _, e := range o.events[from:] {
		if e.Traffic != nil {
			told = append(told, e.Traffic.Event)
		}
	}
	if got := strings.Join(told, " "); got != trace.TrafficOpened+" "+trace.TrafficLost {
		t.Errorf("told %q", got)
	}
}

// TestASessionHasABoundOfMessagesWithoutAnEcho: at the bound a session skips messages.
func TestASessionHasABoundOfMessagesWithoutAnEcho(t *testing.T) {
	o := settled(t)
	c := o.conns.at(o.generators[0].all[0])
	c.waits = nil
	for len(c.waits) < maxOutstanding {
		c.waits = append(c.waits, o.now)
	}
	sent := c.gen.line.totals.Sent
	if c.say(); c.gen.line.totals.Sent != sent || len(c.waits) != maxOutstanding {
		t.Errorf("a message beyond %d without an echo", maxOutstanding)
	}
	c.waits = c.waits[1:]
	if c.say(); c.gen.line.totals.Sent != sent+1 {
		t.Error("no message below the bound")
	}
}

// TestAWrongEchoIsToldOnce: an echo of another flow, or of nothing that was sent, is recorded once.
func TestAWrongEchoIsToldOnce(t *testing.T) {
	for why, edit := range map[string]func(*conn){
		trace.EchoForeign: func(c *conn) {
			c.waits = append(c.waits[:0], c.gen.w.now, c.gen.w.now)
			c.echo(c.tag+1, c.backend)
			c.echo(c.tag+1, c.backend)
		},
		"echo of nothing that was sent": func(c *conn) { c.waits = nil; c.echo(c.tag, c.backend); c.echo(c.tag, c.backend) },
	} {
		o := settled(t)
		c := o.conns.at(o.generators[0].all[0])
		from := len(o.events)
		edit(c)
		told := 0
		for _, e := range o.events[from:] {
			if e.Traffic != nil && e.Traffic.Event == trace.TrafficCorrupt && e.Traffic.Why == why {
				told++
			}
		}
		if told != 1 || c.gen.line.totals.Corrupt != 1 {
			t.Errorf("%s: told %d times, counted %d; want once", why, told, c.gen.line.totals.Corrupt)
		}
	}
}
