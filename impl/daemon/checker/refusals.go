package checker

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Linux sends a host about one port unreachable a second, for all its ports together
// (net.ipv4.icmp_ratelimit). So the silence of a port says nothing for some seconds after a refusal,
// more of them if more ports of its host refuse.
const (
	refusalHolds   = 3 * time.Second // for each refusing port of the host
	refusalsForget = 30 * time.Second
)

// refusals is when each UDP port last refused a datagram. The zero value is ready. It is safe for
// concurrent use.
type refusals struct {
	mu   sync.Mutex
	last map[netip.AddrPort]time.Time
}

// judge returns the result of a probe: err, or ErrUndecided if the port was silent so soon after a refusal
// that it may only have been denied another one.
func (r *refusals) judge(at netip.AddrPort, err error, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	refusing := 0
	for port, last := range r.last {
		switch {
		case now.Sub(last) >= refusalsForget:
			delete(r.last, port)
		case port.Addr() == at.Addr():
			refusing++
		}
	}
	switch last, refused := r.last[at]; {
	case errors.Is(err, unix.ECONNREFUSED):
		if r.last == nil {
			r.last = map[netip.AddrPort]time.Time{}
		}
		r.last[at] = now
	case err == nil && refused && now.Sub(last) < refusalHolds*time.Duration(refusing):
		return ErrUndecided
	}
	return err
}
