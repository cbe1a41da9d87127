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
	s.Alarms = append(s.Alarms, readAlarms(s.Read, s.Scrub)...)
	s.Alarms = append(s.Alarms, pairAlarms(s.Status)...)
	s.Alarms = append(s.Alarms, arbiterAlarms(s.Arbiter)...)
	s.Alarms = append(s.Alarms, peerAlarms(s.Peer)...)
	s.Services = d.balancer.describe()
	d.describeEdits(s)
	s.Alarms = append(s.Alarms, serviceAlarms(s.Services)...)
	s.Alarms = append(s.Alarms, checkAlarms(s.Services, d.checks.Broken())...)
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

// pairAlarms reports a table known to be incomplete, a pair in which a failure now would
// lose sessions, and lost tracked hosts.
func pairAlarms(s node.Status) []string {
	var alarms []string
	if s.Degraded {
		alarms = append(alarms, "degraded: this node serves with an incomplete connection table")
	}
	if s.Peer.Heard && !s.PairInSync {
		alarms = append(alarms, "the pair is not in sync: if the MASTER fails now, sessions are lost")
	}
	for _, g := range s.Gates {
		if g.Name == ha.Reachable.String() && !g.Open {
			alarms = append(alarms, "tracked hosts: "+g.Why)
		}
	}
	return alarms
}

// arbiterAlarms reports an arbiter that does not answer, whether or not it is needed now.
func arbiterAlarms(a *node.ArbiterStatus) []string {
	switch {
	case a == nil || a.Answers && !a.Alone:
		return nil
	case a.Kind == "gateway" && a.Alone:
		return []string{fmt.Sprintf("this node has served for %v without peer and gateway (%s): %s", a.For.Round(time.Second), a.Policy, a.Why)}
	case a.Kind == "gateway":
		return []string{"the arbiter: " + a.Why}
	case a.Alone:
		return []string{fmt.Sprintf("this node has served for %v without peer and arbiter (keep-serving): its peer may serve too; the arbiter: %s", a.For.Round(time.Second), a.Why)}
	}
	return []string{fmt.Sprintf("the arbiter does not answer: %s; policy %s", a.Why, a.Policy)}
}

// peerAlarms reports services that the peer is configured to balance differently.
func peerAlarms(p node.PeerStatus) []string {
	if len(p.Differences) == 0 {
		return nil
	}
	return []string{"peer " + p.Node + " has a different configuration: " + catalog.Words(p.Differences)}
}

// syncAlarms reports entries that the dataplane keeps refusing, and tables of different
// capacities.
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

// unreadAfter is the number of reads in a row that must fail for an alarm.
const unreadAfter = 3

// readAlarms reports a dataplane that cannot be read although the node needs to: it may hold
// unknown or damaged flows.
func readAlarms(r node.ReadStatus, s node.ScrubStatus) []string {
	switch {
	case r.Due && r.Streak >= unreadAfter:
		return []string{fmt.Sprintf("the dataplane was not read %d times in a row, and may hold flows that this node does not know: %s", r.Streak, r.Why)}
	case s.Streak >= unreadAfter:
		return []string{fmt.Sprintf("the dataplane was not read %d times in a row to look for damaged flows: %s", s.Streak, s.Why)}
	}
	return nil
}

// tableAlarms reports a table that is nearly full.
func tableAlarms(entries, capacity int, evicted uint64) []string {
	if !dataplane.Pressed(entries, capacity) {
		return nil
	}
	return []string{fmt.Sprintf("the connection table holds %d of %d entries; so far %d unanswered entries were evicted", entries, capacity, evicted)}
}

// refusedAfter is the number of streams in a row that must end early for a refusal to be
// assumed.
const refusedAfter = 3

// streamAlarms reports streams that end right after they come up, or never come up.
func streamAlarms(s control.Stream) []string {
	if s.Up || s.Failures < refusedAfter {
		return nil
	}
	return []string{fmt.Sprintf("no sync stream after %d attempts: %s: %s", s.Failures, s.Cause, s.Why)}
}

// authDrops are the drop reasons of packets from a peer with another secret.
var authDrops = []bfd.Drop{bfd.DropAuthUnexpected, bfd.DropAuthMissing, bfd.DropAuthKeyID, bfd.DropAuthDigest}

// pathAlarms reports paths that are not Up although the peer is alive: its packets fail
// authentication, or are lost.
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
