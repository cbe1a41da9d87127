package daemon

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"baton/impl/bfd"
	"baton/impl/catalog"
	"baton/impl/ctsync"
	"baton/impl/daemon/control"
	"baton/impl/daemon/transport"
	"baton/impl/dataplane"
	"baton/impl/ha"
	"baton/impl/node"
)

// describe adds to a status what is known outside of the loop.
func (d *daemon) describe(s *control.Status) {
	now := time.Now()
	s.Stream = streamStatus(d.transport.Status(), now)
	s.Alarms = append(s.Alarms, streamAlarms(s.Stream)...)
	s.Alarms = append(s.Alarms, pathAlarms(s.Status)...)
	s.Alarms = append(s.Alarms, syncAlarms(s.Sync)...)
	s.Alarms = append(s.Alarms, pairAlarms(s.Status)...)
	s.Alarms = append(s.Alarms, peerAlarms(s.Peer)...)
	s.Services = d.balancer.describe()
	d.describeEdits(s)
	s.Alarms = append(s.Alarms, serviceAlarms(s.Services)...)
	d.loop.refusals.describe(s, now)
	s.Alarms = append(s.Alarms, tableAlarms(s.Flows, cmp.Or(d.cfg.MaxFlows, dataplane.DefaultMaxFlows), s.Dataplane.Evicted)...)
	d.conflicts.describe(s, now)
	d.pins.describe(s)
}

func streamStatus(t transport.Status, now time.Time) control.Stream {
	s := control.Stream{Up: t.Up, Cause: string(t.Last.Cause), Why: t.Last.Why, Failures: t.Failures, Ends: map[string]uint64{}}
	for _, cause := range transport.Causes {
		s.Ends[string(cause)] = t.Ends[cause]
	}
	if !t.Retry.IsZero() {
		s.Retry = max(t.Retry.Sub(now), 0)
	}
	return s
}

// pairAlarms tells of a table that is knowingly incomplete, of a pair in which a failure
// now would lose sessions although both nodes live, and of tracked hosts that are lost.
func pairAlarms(s node.Status) []string {
	var alarms []string
	if s.Degraded {
		alarms = append(alarms, "degraded: this node serves with a table that it knows to be incomplete")
	}
	if s.Peer.Heard && !s.PairInSync {
		alarms = append(alarms, "the pair is not in sync: if the node that serves fails now, sessions are lost")
	}
	for _, g := range s.Gates {
		if g.Name == ha.Reachable.String() && !g.Open {
			alarms = append(alarms, "tracked hosts: "+g.Why)
		}
	}
	return alarms
}

// peerAlarms tells of services that the peer is configured to balance otherwise.
func peerAlarms(p node.PeerStatus) []string {
	if len(p.Differences) == 0 {
		return nil
	}
	return []string{"peer " + p.Node + " is configured otherwise: " + catalog.Words(p.Differences)}
}

// syncAlarms tells of entries that the dataplane goes on refusing, and of a peer whose
// table cannot hold what this node's can, or the other way round.
func syncAlarms(p ctsync.Progress) []string {
	var alarms []string
	for _, r := range p.Refused {
		alarms = append(alarms, fmt.Sprintf("synced entries are not applied: %s: %d entries refused", r.Why, r.Entries))
	}
	if p.Warning != "" {
		alarms = append(alarms, "connection sync: "+p.Warning)
	}
	return alarms
}

// tableAlarms tells of a table that new flows may soon find full.
func tableAlarms(entries, capacity int, evicted uint64) []string {
	if !dataplane.Pressed(entries, capacity) {
		return nil
	}
	return []string{fmt.Sprintf("the connection table holds %d of %d entries; %d that nobody had answered were removed early so far", entries, capacity, evicted)}
}

// refusedAfter is how many streams in a row have to end early for the peer to refuse them.
const refusedAfter = 3

// streamAlarms tells of streams that end as soon as they are up, or never come up.
func streamAlarms(s control.Stream) []string {
	if s.Up || s.Failures < refusedAfter {
		return nil
	}
	return []string{fmt.Sprintf("no sync stream after %d attempts: %s: %s", s.Failures, s.Cause, s.Why)}
}

// authDrops are the reasons for which packets of a peer with another secret are dropped.
var authDrops = []bfd.Drop{bfd.DropAuthUnexpected, bfd.DropAuthMissing, bfd.DropAuthKeyID, bfd.DropAuthDigest}

// pathAlarms tells of paths that are not Up although the peer lives: its packets are
// refused for what they authenticate with, or they are lost.
func pathAlarms(s node.Status) []string {
	var alarms []string
	for _, p := range s.Paths {
		switch {
		case p.State == bfd.Up.String():
		case p.Stats.Refused > 0 && slices.Contains(authDrops, p.Stats.RefusedFor):
			alarms = append(alarms, fmt.Sprintf("bfd path %s is %s, and the last %d packets were refused (%v): do both nodes have the same bfd.secret?",
				p.Name, p.State, p.Stats.Refused, p.Stats.RefusedFor))
		case s.Peer.Heard:
			alarms = append(alarms, fmt.Sprintf("bfd path %s is %s, but the peer is heard elsewhere: does UDP port 3784 pass in both directions?", p.Name, p.State))
		}
	}
	return alarms
}
