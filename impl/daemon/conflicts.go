package daemon

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"baton/impl/daemon/arpwatch"
	"baton/impl/daemon/control"
	"baton/impl/dataplane"
	"baton/impl/driver"
	"baton/impl/ha"
	"baton/impl/trace"
)

// conflicts are the claims of this pair's VIPs by other hosts.
type conflicts struct {
	mu   sync.Mutex
	seen []conflict
}

type conflict struct {
	control.Conflict
	last time.Time
}

// alarmFor is how long a claim raises an alarm.
const alarmFor = time.Minute

// openWatcher starts to watch for foreign announcements of the VIPs.
func (d *daemon) openWatcher() (err error) {
	peers := map[string]netip.Addr{}
	for _, p := range d.cfg.BFD.Paths {
		peers[p.Link] = p.Peer
	}
	d.arpwatch, err = arpwatch.Open(arpwatch.Config{
		VIPs: d.cfg.VIPs(), Peers: peers, PeerMay: func() bool { return !d.loop.settledAsMaster() },
		Failed: func() { d.loop.failures.add(callARPWatch) },
		Report: func(c arpwatch.Claim) { d.loop.inbox.call(func() { d.claimed(c) }) },
	})
	if err != nil {
		return err
	}
	d.onClose(d.arpwatch.Close)
	return nil
}

// claimed notes a claim, and answers it by an announcement if this node forwards. A claim
// that may be the peer's is only answered if the peer has said that it does not serve: two
// MASTERs that do not hear each other would otherwise keep announcing against each other.
// It runs on the loop.
func (d *daemon) claimed(c arpwatch.Claim) {
	leads := d.loop.mayForward()
	c.MaybePeer = c.MaybePeer && !d.peerStandsBy()
	answered, what := false, ""
	if leads && !c.MaybePeer {
		err := d.garp.SendOne(dataplane.VIP{Addr: c.VIP, Link: c.Link})
		if answered, what = err == nil, ", announced again"; err != nil {
			d.loop.failures.add(driver.Announce.String())
			what = ", not answered: " + err.Error()
		}
	}
	d.conflicts.add(c, answered, time.Now())
	d.loop.recorder.Event(trace.Event{At: d.loop.now(), Kind: trace.KindNote,
		Note: fmt.Sprintf("%v on %s is claimed by %v, %s%s", c.VIP, c.Link, c.MAC, whose(c.MaybePeer), what)})
}

// peerStandsBy reports whether the peer has said that it does not serve.
func (d *daemon) peerStandsBy() bool {
	peer := d.loop.node.Status().Peer
	return peer.Known && (peer.Role == ha.Backup.String() || peer.Role == ha.Fault.String())
}

// whose says who may own the claiming address.
func whose(maybePeer bool) string {
	if maybePeer {
		return "which may be the peer"
	}
	return "which does not belong to this pair"
}

func (k *conflicts) add(c arpwatch.Claim, answered bool, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.seen, func(s conflict) bool { return s.VIP == c.VIP && s.Link == c.Link })
	if i < 0 {
		i, k.seen = len(k.seen), append(k.seen, conflict{Conflict: control.Conflict{VIP: c.VIP, Link: c.Link}})
	}
	at := &k.seen[i]
	at.Count += c.Count
	at.MAC, at.MaybePeer, at.last = c.MAC.String(), c.MaybePeer, now
	if answered {
		at.Answered++
	}
}

// describe adds the conflicts to a status.
func (k *conflicts) describe(s *control.Status, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.seen {
		c.Ago = now.Sub(c.last)
		s.Conflicts = append(s.Conflicts, c.Conflict)
		if c.Ago < alarmFor {
			s.Alarms = append(s.Alarms, fmt.Sprintf("%v on %s is claimed by %s, %s: %d ARP packets, the last %v ago",
				c.VIP, c.Link, c.MAC, whose(c.MaybePeer), c.Count, c.Ago.Round(100*time.Millisecond)))
		}
	}
}
