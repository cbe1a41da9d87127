package cause

import (
	"slices"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
)

// pair is the state of both nodes according to the trace up to an event.
type pair struct {
	nodes []*node
	cuts  []trace.Direction
	last  clock.Instant // the last cut or heal
}

type node struct {
	name   string
	role   string
	since  clock.Instant
	reason string
	alive  bool // neither ended nor frozen
	served bool // it was MASTER since its process started
	synced bool // its gate InSync was open at its last claim
	lease  clock.Instant
	leased clock.Instant // when the lease was last written
	gates  map[string]trace.Gate
	held   int // number of entries in its table, -1 if unknown
	// left is when it last gave up the role, leftWhy the reason. back is when it last took the
	// role back during a handover.
	left, back       clock.Instant
	thawed           clock.Instant // when it was last thawed, 0 if never
	starved          bool          // its process runs only for a share of the time
	leftWhy, backWhy string
	claimed          clock.Instant     // when it claimed last
	claimWhy         string            // reason of its last claim
	paths            map[string]string // states of its BFD sessions by path
	phase            string            // phase of its connection sync
}

func newPair() *pair { return &pair{} }

func (p *pair) node(name string) *node {
	for _, n := range p.nodes {
		if n.name == name {
			return n
		}
	}
	n := &node{name: name, gates: map[string]trace.Gate{}, paths: map[string]string{}, alive: true, held: -1}
	p.nodes = append(p.nodes, n)
	return n
}

// peerOf returns the other node, nil if there is none.
func (p *pair) peerOf(name string) *node {
	for _, n := range p.nodes {
		if n.name != name {
			return n
		}
	}
	return nil
}

// master returns the living MASTER, nil if there is none.
func (p *pair) master() *node {
	for _, n := range p.nodes {
		if n.alive && n.role == "Master" {
			return n
		}
	}
	return nil
}

func (p *pair) apply(e trace.Event) {
	switch {
	case e.Role != nil && e.Role.From != e.Role.To:
		n := p.node(e.Node)
		n.moved(e)
		n.role, n.since, n.reason, n.alive = e.Role.To, e.At, e.Role.Reason, true
		n.served = n.served && e.Role.From != "Init" || e.Role.To == "Master"
		if e.Role.To == "Claiming" {
			n.synced, n.claimed, n.claimWhy = slices.Contains(e.Role.Gates, "InSync"), e.At, e.Role.Reason
		}
	case e.Gate != nil:
		p.node(e.Node).gates[e.Gate.Name] = *e.Gate
	case e.Lease != nil:
		n := p.node(e.Node)
		n.lease, n.leased = e.Lease.Until, e.At
	case e.Replica != nil:
		p.node(e.Node).held = e.Replica.Entries
	case e.Died != nil:
		p.node(e.Node).alive = false
	case e.BFD != nil:
		p.node(e.Node).paths[e.BFD.Path] = e.BFD.To
	case e.Sync != nil:
		p.node(e.Node).phase = e.Sync.Phase
	case e.Fault != nil:
		p.done(e)
		p.severed(e)
	}
}

// moved records how a node lost the role or took it back.
func (n *node) moved(e trace.Event) {
	switch from, to := e.Role.From, e.Role.To; {
	case from == "Yielding" && to == "Claiming":
		n.back, n.backWhy = e.At, e.Role.Reason
	case from == "Master" && to != "Yielding", from == "Yielding":
		n.left, n.leftWhy = e.At, e.Role.Reason
	}
}

// severed records the directions that are cut.
func (p *pair) severed(e trace.Event) {
	f := e.Fault
	switch {
	case fault.Severs(f.Verb) && f.Phase == "begin":
		p.cuts, p.last = append(p.cuts, f.Directions...), e.At
	case fault.Joins(f.Verb) && f.Phase == "receipt":
		p.cuts = slices.DeleteFunc(p.cuts, func(d trace.Direction) bool { return slices.Contains(f.Directions, d) })
		p.last = e.At
	}
}

// done records the effect of a fault on nodes.
func (p *pair) done(e trace.Event) {
	f := e.Fault
	for _, name := range f.Hosts {
		for _, n := range p.nodes {
			if n.name != name {
				continue
			}
			switch f.Verb {
			case "crash", "kill", "stop":
				n.alive, n.served, n.starved = false, f.Verb == "stop", false
				if f.Phase != "begin" {
					n.role = ""
				}
			case "freeze":
				n.alive = false
			case fault.Starve:
				n.starved = true
			case fault.Feed:
				n.starved = f.Phase == "begin" && n.starved
			case "thaw", "restore":
				n.alive = true
				if f.Verb == "thaw" && f.Phase == "begin" {
					n.thawed = e.At
				}
			}
		}
	}
}
