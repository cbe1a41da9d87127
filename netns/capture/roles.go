package capture

import (
	"fmt"
	"sync"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// Roles that the wire can show.
const (
	wireMaster = "Master"
	wireBackup = "Backup"
)

// wireRoles reads from the wire which load balancer is the MASTER, of nodes that do not
// tell it. Whoever sends advertisements is; where none are seen, who last said by ARP
// that it has a VIP, or both, while they say so in turns; and before anybody did, whose
// frames come from one. It is safe for concurrent use.
type wireRoles struct {
	mu      sync.Mutex
	record  func(trace.Event)
	nodes   map[string]*wireRole
	adverts bool          // were seen
	taken   clock.Instant // one said last by ARP that it has what the other had
	turns   int           // how often that came soon after the time before
}

// wireRole is the present role of one load balancer.
type wireRole struct {
	master bool
	since  clock.Instant // it is the Master
	last   clock.Instant // its last advertisement
	said   clock.Instant // it said last by ARP that it has a VIP
}

// silence is how many intervals without an advertisement, of three after which a Backup
// takes over (RFC 9568 6.1), prove that a MASTER has given up while another advertises.
const silence = 1.5

// dispute is how soon a VIP has to be claimed back for that to be a turn, and maxTurns how
// many are no takeover any more: a node may take the role, and the other answer a last time.
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

// started notes that a load balancer begins anew: a Backup until the wire shows more.
func (r *wireRoles) started(node string, at clock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.nodes[node] = wireRole{}
	r.event(node, "Init", wireBackup, at, "started; the wire shows nothing of it yet")
}

// advert notes an advertisement.
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
	for other, o := range r.nodes { // in any order: there is one other
		if other != node && o.master && float64(at.Sub(o.last)) > silence*float64(a.interval) {
			r.backup(other, max(o.last, n.since), fmt.Sprintf("no advert since %s advertises", node))
		}
	}
}

// owns notes that a load balancer said by ARP that it has a VIP.
func (r *wireRoles) owns(node, vip string, at clock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.nodes[node]
	if r.adverts || n == nil {
		return
	}
	n.said = at
	for other, o := range r.nodes { // in any order: there is one other
		if other == node || !o.master {
			continue
		}
		disputed := r.disputed(n.master, at)
		if !disputed {
			r.backup(other, at, fmt.Sprintf("%s says by ARP that it has %s", node, vip))
		} else if n.master && at.Sub(o.said) > dispute {
			r.backup(other, max(o.said, n.since), fmt.Sprintf("silent since, while %s says by ARP that it has %s", node, vip))
		}
	}
	r.master(node, at, "it says by ARP that it has "+vip)
}

// disputed reports whether two load balancers say in turns that they have a VIP, now that
// one of them says so, which was Master already or was not.
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

// carries notes that a load balancer began to send packets from a VIP.
func (r *wireRoles) carries(node, vip string, at clock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.nodes { // in any order: whether any is
		if n.master {
			return
		}
	}
	if !r.adverts && r.nodes[node] != nil {
		r.master(node, at, "it sends the packets of "+vip)
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
