package capture

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// Roles that can be derived from the wire.
const (
	wireMaster = "Master"
	wireBackup = "Backup"
)

// wireRoles derives from the wire which load balancer is the MASTER, for nodes that do not
// report it. The MASTER is the node that sends advertisements. Without advertisements it is
// the node that last announced a VIP by ARP or NDP, or both nodes while they announce it in
// turns. Before any announcement it is the node whose frames come from a VIP. It is safe for
// concurrent use.
type wireRoles struct {
	mu      sync.Mutex
	record  func(trace.Event)
	nodes   map[string]*wireRole
	adverts bool          // advertisements were seen
	taken   clock.Instant // when a node last announced what the other had announced
	turns   int           // consecutive takeovers within dispute
}

// wireRole is the current role of one load balancer.
type wireRole struct {
	master    bool
	since     clock.Instant // Master since
	last      clock.Instant // last advertisement
	announced clock.Instant // last announcement of a VIP
}

// silence is the number of advertisement intervals without an advertisement after which a
// MASTER counts as stopped if another node advertises. A Backup takes over after three (RFC
// 9568 6.1).
const silence = 1.5

// dispute is how soon a VIP must be announced back to count as a turn. maxTurns is how many
// turns still count as a takeover, because the old MASTER may answer one last time.
const (
	dispute  = time.Second
	maxTurns = 2
)

func newWireRoles(nodes []string, record func(trace.Event)) *wireRoles {
	r := &wireRoles{record: record, nodes: map[string]*wireRole{}}
	for _, node := range nodes {
		r.nodes[node] = &wireRole{}
	}
	return r
}

// started records that a load balancer was started: it is Backup until the wire shows
// otherwise.
func (r *wireRoles) started(node string, at clock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.nodes[node] = wireRole{}
	r.event(node, "Init", wireBackup, at, "started; the wire has not shown its role yet")
}

// advert takes an advertisement.
func (r *wireRoles) advert(node string, a *advert, at clock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.nodes[node]
	if n == nil {
		return
	}
	r.adverts = true
	if a.resigns {
		r.backup(node, at, "it resigned by a "+a.String())
		return
	}
	n.last = at
	r.master(node, at, a.String())
	for other, o := range r.nodes { // order does not matter: there is one other
		if other != node && o.master && float64(at.Sub(o.last)) > silence*float64(a.interval) {
			r.backup(other, max(o.last, n.since), fmt.Sprintf("no advert since %s advertises", node))
		}
	}
}

// how names the protocol by which a VIP is announced.
func how(vip string) string {
	if strings.Contains(vip, ":") {
		return "by NDP"
	}
	return "by ARP"
}

// announces records that a load balancer announced a VIP by ARP or NDP.
func (r *wireRoles) announces(node, vip string, at clock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.nodes[node]
	if r.adverts || n == nil {
		return
	}
	n.announced = at
	for other, o := range r.nodes { // order does not matter: there is one other
		if other == node || !o.master {
			continue
		}
		disputed := r.disputed(n.master, at)
		if !disputed {
			r.backup(other, at, fmt.Sprintf("%s announces %s %s", node, vip, how(vip)))
		} else if n.master && at.Sub(o.announced) > dispute {
			r.backup(other, max(o.announced, n.since), fmt.Sprintf("silent since then, while %s announces %s %s", node, vip, how(vip)))
		}
	}
	r.master(node, at, "it announces "+vip+" "+how(vip))
}

// disputed reports whether two load balancers announce a VIP in turns. One of them has just
// announced it; already: it was already the Master.
func (r *wireRoles) disputed(already bool, at clock.Instant) bool {
	if already {
		return true
	}
	if r.taken != 0 && at.Sub(r.taken) < dispute {
		r.turns++
	} else {
		r.turns = 0
	}
	r.taken = at
	return r.turns >= maxTurns
}

// carries records that a load balancer began to send packets from a VIP.
func (r *wireRoles) carries(node, vip string, at clock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.nodes { // order does not matter
		if n.master {
			return
		}
	}
	if !r.adverts && r.nodes[node] != nil {
		r.master(node, at, "it sends packets from "+vip)
	}
}

func (r *wireRoles) master(node string, at clock.Instant, reason string) {
	if n := r.nodes[node]; !n.master {
		n.master, n.since = true, at
		r.event(node, wireBackup, wireMaster, at, reason)
	}
}

func (r *wireRoles) backup(node string, at clock.Instant, reason string) {
	if n := r.nodes[node]; n.master {
		n.master = false
		r.event(node, wireMaster, wireBackup, at, reason)
	}
}

func (r *wireRoles) event(node, from, to string, at clock.Instant, reason string) {
	r.record(trace.Event{At: at, Node: node, Kind: trace.KindRole, Role: &trace.Role{From: from, To: to, Reason: "wire: " + reason}})
}
