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

// Cause is why a stream ended or an attempt failed.
type Cause string

const (
	EndedByPeer     Cause = "ended-by-peer"     // with a reason
	EndedHere       Cause = "ended-here"        // the core reset it, or a frame was invalid
	Lost            Cause = "lost"              // the connection broke, or was closed without a reason
	Overflow        Cause = "overflow"          // the peer does not read
	Replaced        Cause = "replaced"          // by a newer stream
	Stopped         Cause = "stopped"           // this node leaves
	Unreachable     Cause = "unreachable"       // no connection was established
	Silent          Cause = "silent"            // a connection was, but nobody answered on it: a peer that is stopped, or large packets are lost
	Unauthenticated Cause = "not-authenticated" // TLS: not the peer, or refused by the peer
)

// Causes lists all of them.
var Causes = []Cause{EndedByPeer, EndedHere, Lost, Overflow, Replaced, Stopped, Unreachable, Silent, Unauthenticated}

// End is how a stream ended or an attempt failed.
type End struct {
	Cause Cause
	Why   string
}

func (e End) String() string { return strings.ReplaceAll(string(e.Cause), "-", " ") + ": " + e.Why }

// Status is the state of the transport.
type Status struct {
	Up       bool
	Last     End              // the last end or failure; zero if there was none
	Failures int              // consecutive streams and attempts that ended before they settled
	Retry    time.Time        // next attempt; zero if the peer dials or a stream is up
	Ends     map[Cause]uint64 // counts since the start
}

// history records ends, and rate-limits their log lines.
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

// note records an end, and reports whether it must be logged.
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
		h.status.Failures = 0 // not refused
	default:
		h.status.Failures++
	}
	return h.lines.News(e.String(), now)
}

// lost notes that the current stream has ended.
func (h *history) lost(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status.Up = false; now.Sub(h.since) >= settled {
		h.status.Failures = 0
	}
}

// retries notes the time of the next attempt.
func (h *history) retries(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status.Retry = at
}

// Status returns the state of the transport. It does not block.
func (t *Transport) Status() Status {
	t.history.mu.Lock()
	defer t.history.mu.Unlock()
	s := t.history.status
	s.Ends = maps.Clone(s.Ends)
	return s
}

// note counts an end, and logs it unless it is a repetition or this node is leaving.
func (t *Transport) note(e End) {
	if t.history.note(e, time.Now()) && e.Cause != Stopped {
		t.cfg.Log.Warn("sync stream: no stream", "peer", t.cfg.Peer, "cause", string(e.Cause), "why", e.Why)
	}
}

// failed describes a failed attempt.
func failed(cause Cause, what string, err error) End {
	why := portless(err)
	if !strings.HasPrefix(why, what+": ") {
		why = what + ": " + why
	}
	return End{cause, why}
}

// unproven is the cause of a failed handshake.
func unproven(err error) Cause {
	if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
		return Silent
	}
	return Unauthenticated
}

// portless is the text of an error without the connection's addresses: the changing port of
// the dialling end would make each repetition look new.
func portless(err error) string {
	text := err.Error()
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		text = strings.Replace(text, op.Error(), fmt.Sprintf("%s: %v", op.Op, op.Err), 1)
	}
	return text
}
