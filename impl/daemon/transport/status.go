package transport

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"time"

	"baton/impl/daemon/internal/repeat"
)

// Cause is a kind of end of a stream, or of an attempt to get one.
type Cause string

const (
	EndedByPeer     Cause = "ended-by-peer"     // which said why
	EndedHere       Cause = "ended-here"        // the core gave it up, or a frame was none
	Lost            Cause = "lost"              // the connection broke, or was closed without a word
	Overflow        Cause = "overflow"          // the peer does not read
	Replaced        Cause = "replaced"          // by a newer stream
	Stopped         Cause = "stopped"           // this node leaves
	Unreachable     Cause = "unreachable"       // no connection came about
	Unauthenticated Cause = "not-authenticated" // TLS: not the peer, or not to the peer's liking
)

// Causes lists all of them.
var Causes = []Cause{EndedByPeer, EndedHere, Lost, Overflow, Replaced, Stopped, Unreachable, Unauthenticated}

// End is how a stream ended, or why none came about.
type End struct {
	Cause Cause
	Why   string
}

func (e End) String() string { return strings.ReplaceAll(string(e.Cause), "-", " ") + ": " + e.Why }

// Status is how the transport fares.
type Status struct {
	Up       bool
	Last     End              // what ended or failed last; zero if nothing has
	Failures int              // streams and attempts in a row that ended before they had settled
	Retry    time.Time        // of the next attempt; zero where the peer dials or a stream is up
	Ends     map[Cause]uint64 // since the start
}

// history remembers ends, and logs them without flooding the log.
type history struct {
	mu     sync.Mutex
	status Status
	since  time.Time // when the last stream came up
	lines  repeat.Filter
}

func (h *history) up(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status.Up, h.status.Retry, h.since = true, time.Time{}, now
}

// note takes an end, and reports whether it is to be logged.
func (h *history) note(e End, now time.Time) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status.Ends == nil {
		h.status.Ends = map[Cause]uint64{}
	}
	h.status.Ends[e.Cause]++
	h.status.Last = e
	switch e.Cause {
	case Replaced, Stopped: // nothing failed
	case Unreachable:
		h.status.Failures = 0 // nobody has refused anything
	default:
		h.status.Failures++
	}
	return h.lines.News(e.String(), now)
}

// lost notes that the present stream has ended.
func (h *history) lost(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status.Up = false; now.Sub(h.since) >= settled {
		h.status.Failures = 0
	}
}

// retries notes when the next attempt is made.
func (h *history) retries(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status.Retry = at
}

// Status returns how the transport fares. It does not block.
func (t *Transport) Status() Status {
	t.history.mu.Lock()
	defer t.history.mu.Unlock()
	s := t.history.status
	s.Ends = maps.Clone(s.Ends)
	return s
}

// note counts an end, and logs it unless it is a repetition or this node's own leave.
func (t *Transport) note(e End) {
	if t.history.note(e, time.Now()) && e.Cause != Stopped {
		t.cfg.Log.Warn("sync stream: no stream", "peer", t.cfg.Peer, "cause", string(e.Cause), "why", e.Why)
	}
}

// failed describes an attempt that came to nothing.
func failed(cause Cause, what string, err error) End {
	why := portless(err)
	if !strings.HasPrefix(why, what+": ") {
		why = what + ": " + why
	}
	return End{cause, why}
}

// portless is the text of an error without the addresses of its connection: the port of
// the dialling end is another each time, and would make each repetition look new.
func portless(err error) string {
	text := err.Error()
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		text = strings.Replace(text, op.Error(), fmt.Sprintf("%s: %v", op.Op, op.Err), 1)
	}
	return text
}
