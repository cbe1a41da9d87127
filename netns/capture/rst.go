package capture

import (
	"cmp"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

// sighting is one RST at one edge.
type sighting struct {
	at       clock.Instant
	edge     string
	sender   string // the host that sent the frame at this edge
	receiver string // the destination host, "" if unknown
	relayed  bool   // the sender is a load balancer
	tuple    flow.Tuple
	seq, ack uint32
	flags    uint8

	origin string // the host that made the RST
	// original is the tuple by which a load balancer knows the flow: client to VIP if
	// known, else the reply direction as the backend edge shows it.
	original flow.Tuple
}

// relayWindow is the maximum time in which a load balancer forwards a RST; relaySkew is how
// much the timestamps of two edges may be out of order.
const (
	relayWindow = 20 * time.Millisecond
	relaySkew   = time.Millisecond
)

// settleTime is how long a sighting waits for its counterpart at another edge. It covers
// two blocks that the kernel has not handed over yet.
const settleTime = 2*blockRetire + relayWindow + 10*time.Millisecond

// pairing finds the origin of a RST that a load balancer sent. If a host at another edge
// sent the same RST to it at the same time, the load balancer only forwarded it; otherwise
// the load balancer made it. Two RSTs are the same if their sequence and acknowledgement
// numbers, which no translation changes, and one port are equal.
type pairing struct{ waiting []*sighting }

func (p *pairing) add(s *sighting) { p.waiting = append(p.waiting, s) }

// settled removes the sightings older than settleTime, or all, and returns them by time,
// each with its origin.
func (p *pairing) settled(now clock.Instant, all bool) []*sighting {
	var done, waiting []*sighting
	for _, s := range p.waiting {
		if !all && now.Sub(s.at) < settleTime {
			waiting = append(waiting, s)
			continue
		}
		p.attribute(s)
		done = append(done, s)
	}
	p.waiting = waiting
	slices.SortStableFunc(done, func(a, b *sighting) int { return cmp.Compare(a.at, b.at) })
	return done
}

// attribute sets the origin of s and of its counterpart, if there is one. So no sighting is
// the source of two.
func (p *pairing) attribute(s *sighting) {
	if s.origin != "" {
		return
	}
	nearest := p.nearest(s)
	if nearest == nil || p.nearest(nearest) != s {
		s.origin = s.sender
		return
	}
	made, passed := inOrder(s, nearest)
	made.origin, passed.origin = made.sender, made.sender
	if made.edge == lab.Clients {
		passed.original = made.original
	} else {
		made.original = passed.original
	}
}

// nearest returns the unattributed counterpart of s that is nearest in time, or nil.
func (p *pairing) nearest(s *sighting) *sighting {
	var nearest *sighting
	for _, other := range p.waiting {
		if other.origin == "" && sameRST(s, other) && (nearest == nil || distance(s, other) < distance(s, nearest)) {
			nearest = other
		}
	}
	return nearest
}

// sameRST reports whether one of two sightings is the other one forwarded.
func sameRST(a, b *sighting) bool {
	if a.edge == b.edge || a.relayed == b.relayed || a.seq != b.seq || a.ack != b.ack || a.flags != b.flags ||
		(a.tuple.SrcPort != b.tuple.SrcPort && a.tuple.DstPort != b.tuple.DstPort) {
		return false
	}
	made, passed := inOrder(a, b)
	took := passed.at.Sub(made.at)
	return -relaySkew <= took && took <= relayWindow
}

// inOrder returns which of two sightings of one RST was made and which was forwarded.
func inOrder(a, b *sighting) (made, passed *sighting) {
	if a.relayed {
		return b, a
	}
	return a, b
}

func distance(a, b *sighting) time.Duration { return max(a.at.Sub(b.at), b.at.Sub(a.at)) }

// event returns the event of an attributed sighting, without the callbacks' part.
func (s *sighting) event() trace.Event {
	return trace.Event{At: s.at, Kind: trace.KindRST, RST: &trace.RST{
		Edge: s.edge, Tuple: s.tuple, Flow: s.tuple.String(), Sender: s.sender, Origin: s.origin, Seq: s.seq}}
}
