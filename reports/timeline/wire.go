package timeline

import (
	"fmt"
	"strings"

	"baton/impl/trace"
)

func (b *builder) forwarder(at At, node string, f *trace.Forwarder) {
	vip := f.VIP
	if vip == "" {
		vip = "clients' addresses"
	}
	if f.From == node { // the end of the capture
		b.turn(Forwarder, f.Edge, vip, Span{From: at})
		return
	}
	if f.From != "" {
		key := laneKey{Forwarder, f.Edge, vip}
		if s, ok := b.open[key]; ok {
			s.What = fmt.Sprintf("%s carried %d frames of %s at the %s edge", f.From, f.Frames, vip, f.Edge)
			b.open[key] = s
			b.turn(Forwarder, f.Edge, vip, Span{From: b.at(f.Last)})
		}
	}
	b.turn(Forwarder, f.Edge, vip, Span{From: at, State: node, What: fmt.Sprintf("%s carries the packets of %s at the %s edge", node, vip, f.Edge)})
}

func (b *builder) rst(at At, r *trace.RST) {
	who := r.Origin
	if who == "" {
		who = r.Sender
	}
	mark := Mark{At: at, Tone: Bad, What: fmt.Sprintf("RST of %s from %s", r.Flow, who)}
	if len(b.run.RSTs) < maxRSTs {
		b.run.RSTs = append(b.run.RSTs, RST{At: at, Edge: r.Edge, Flow: r.Flow, Sender: r.Sender, Origin: r.Origin,
			LB: r.LB, Role: r.Role, Entry: r.Entry, Fault: r.Fault, Seq: r.Seq})
		mark.RST = len(b.run.RSTs)
	} else {
		b.dropped++
	}
	b.mark(RSTLane, r.Edge, "", mark)
}

// nameSessions sets the session that each RST damaged. At the client edge a RST has the tuple of a
// session, in either direction.
func (b *builder) nameSessions() {
	for i := range b.run.RSTs {
		r := &b.run.RSTs[i]
		if r.Session = b.tuples[r.Flow]; r.Session == "" {
			r.Session = b.tuples[reversed(r.Flow)]
		}
	}
}

// reversed returns a flow in the other direction: "tcp A>B" becomes "tcp B>A".
func reversed(flow string) string {
	proto, ends, ok := strings.Cut(flow, " ")
	from, to, ok2 := strings.Cut(ends, ">")
	if !ok || !ok2 {
		return flow
	}
	return proto + " " + to + ">" + from
}
