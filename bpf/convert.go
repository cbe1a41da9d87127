package bpf

import (
	"encoding/binary"
	"math/bits"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// The maps hold addresses and ports in network byte order, which the generated
// types show as integers of the (little-endian) host.

func toAddr(a flow.Addr) uint32 { return binary.LittleEndian.Uint32(a[:]) }

func fromAddr(a uint32) (out flow.Addr) {
	binary.LittleEndian.PutUint32(out[:], a)
	return out
}

func swapPort(p uint16) uint16 { return bits.ReverseBytes16(p) }

func toTuple(t flow.Tuple) lbTuple {
	return lbTuple{
		Src: toAddr(t.Src), Dst: toAddr(t.Dst),
		Sport: swapPort(t.SrcPort), Dport: swapPort(t.DstPort), Proto: uint8(t.Proto),
	}
}

func fromTuple(t *lbTuple) flow.Tuple {
	return flow.Tuple{
		Src: fromAddr(t.Src), Dst: fromAddr(t.Dst),
		SrcPort: swapPort(t.Sport), DstPort: swapPort(t.Dport), Proto: flow.Proto(t.Proto),
	}
}

func toServiceKey(s flow.Service) lbServiceKey {
	return lbServiceKey{Vip: toAddr(s.VIP), Port: swapPort(s.Port), Proto: uint8(s.Proto)}
}

func toBackend(b dataplane.Backend) lbBackend {
	return lbBackend{Addr: toAddr(b.Addr), Port: swapPort(b.Port)}
}

// A conn's word: the state, and what the state's next move depends on (types.h).
const (
	wordStateMask = 0xff
	wordReplySeen = 1 << 8
)

func stateOf(word uint32) flow.State { return flow.State(word & wordStateMask) }

// toWord returns the word of a replicated state. The peer has seen the packets
// that this node has not: a half-open connection counts as answered, and which
// side closed first is unknown, so that both FINs must still come by.
func toWord(s flow.State) uint32 {
	if s == flow.SynSent {
		return uint32(s) | wordReplySeen
	}
	return uint32(s)
}

// addCounters adds what one CPU has counted.
func addCounters(sum *dataplane.Counters, c *lbCounters) {
	for i := range sum.Forwarded {
		sum.Forwarded[i] += c.Forwarded[i]
		sum.Bytes[i] += c.Bytes[i]
	}
	sum.Created += c.Created
	sum.Adopted += c.Adopted
	sum.ARPReplies += c.ArpReplies
	for i := range sum.Dropped {
		sum.Dropped[i] += c.Dropped[i]
	}
	sum.EventsLost += c.EventsLost
}
