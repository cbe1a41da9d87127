package deferbench

import (
	"cmp"
	"slices"
	"time"
)

// frame is a frame on one of the MASTER's links, with the kernel's timestamp.
type frame struct {
	at       time.Duration
	link     link
	out      bool // the node sends it
	syn      bool // a SYN without ACK, otherwise a SYN-ACK; translation keeps their sequence numbers
	seq, ack uint32
}

type link int

const (
	client link = iota
	backend
	sync // only frames with data
	links
)

// Stages divides the time of one handshake in the MASTER. With many connections at a time a
// frame of the stream carries the changes of several flows; Sent is then measured to the first
// frame that could carry this flow's.
type Stages struct {
	Held time.Duration // the SYN-ACK, from the backend's link to the client's
	// From the SYN until a frame leaves on the stream, from there to the last frame of the
	// peer before the SYN-ACK leaves, and from there until it leaves. 0 without such frames.
	Sent, Peer, Released time.Duration
}

// divide returns the stages of each handshake that was seen from the SYN on. Only the first of
// several transmissions counts.
func divide(frames []frame) (all []Stages) {
	slices.SortStableFunc(frames, func(a, b frame) int { return cmp.Compare(a.at, b.at) })
	type handshake struct{ opened, answered time.Duration }
	begun := map[uint32]handshake{} // by the client's next sequence number
	var sent, came []time.Duration  // on the stream
	for _, f := range frames {
		h := begun[f.ack]
		switch {
		case f.link == sync && f.out:
			sent = append(sent, f.at)
		case f.link == sync:
			came = append(came, f.at)
		case f.link == client && !f.out && f.syn && begun[f.seq+1] == (handshake{}):
			begun[f.seq+1] = handshake{opened: f.at}
		case f.link == backend && !f.out && !f.syn && h.answered == 0:
			h.answered = f.at
			begun[f.ack] = h
		case f.link == client && f.out && !f.syn && h.opened != 0 && h.answered != 0:
			all = append(all, stagesOf(h.opened, h.answered, f.at, sent, came))
			delete(begun, f.ack)
		}
	}
	return all
}

// stagesOf divides a handshake by the stream's frames that came before its SYN-ACK left.
func stagesOf(opened, answered, left time.Duration, sent, came []time.Duration) Stages {
	s := Stages{Held: left - answered}
	first, _ := slices.BinarySearch(sent, opened)
	if first == len(sent) || len(came) == 0 || came[len(came)-1] < sent[first] {
		return s
	}
	last := came[len(came)-1]
	s.Sent, s.Peer, s.Released = sent[first]-opened, last-sent[first], left-last
	return s
}

// quantile returns a quantile of a figure, 0 of none.
func quantile[T any](of []T, q float64, figure func(T) time.Duration) time.Duration {
	if len(of) == 0 {
		return 0
	}
	all := make([]time.Duration, len(of))
	for i := range of {
		all[i] = figure(of[i])
	}
	slices.Sort(all)
	return all[min(int(q*float64(len(all))), len(all)-1)]
}
