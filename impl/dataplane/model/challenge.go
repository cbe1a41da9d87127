package model

import (
	"encoding/binary"

	"github.com/dchest/siphash"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// challengeSlotShift makes slots of 4.3 s. A challenge can be answered in its slot and in the
// next one.
const challengeSlotShift = 32

// challengeMask has the bits by which the answer to a challenge is recognised.
const challengeMask = 1<<31 - 1

// ChallengeNumber returns the acknowledgement number of the ACK that challenges a SYN. It is not
// after the SYN's own sequence number, so a client in SYN-SENT never accepts it, and netfilter lets
// the client's RST with that number pass.
func ChallengeNumber(key [2]uint64, t flow.Tuple, at clock.Instant, syn uint32) uint32 {
	bits := challengeBits(key, t, slotOf(at))
	if int32(bits-syn) > 0 {
		return bits | ^uint32(challengeMask)
	}
	return bits
}

// challengeBits is a keyed hash, so a challenge needs no memory.
func challengeBits(key [2]uint64, t flow.Tuple, slot uint32) uint32 {
	bound := append(t.Src.Bytes(), t.Dst.Bytes()...)
	bound = binary.BigEndian.AppendUint16(bound, t.SrcPort)
	bound = binary.BigEndian.AppendUint16(bound, t.DstPort)
	bound = binary.LittleEndian.AppendUint32(bound, slot)
	return uint32(siphash.Hash(key[0], key[1], bound)) & challengeMask
}

func slotOf(at clock.Instant) uint32 { return uint32(at >> challengeSlotShift) }

// mustAnswer reports whether the source of a SYN must answer a challenge before it gets an
// entry.
func (d *Dataplane) mustAnswer(p *packet, s *service) bool {
	of := dataplane.FlowCounter{Service: s.Service.Service}
	if is, counted := d.flowCounts[of]; !counted || is.Embryonic < s.Limits.SYNChallenge {
		return false
	}
	of.Source = p.tuple.Src
	return d.validated[of] <= d.now
}

// challenge drops a SYN and answers with an ACK. A client in SYN-SENT answers that with a RST whose
// sequence number is the ACK's acknowledgement number (RFC 9293 3.10.7.3).
func (d *Dataplane) challenge(l link, p *packet, s *service) Outcome {
	d.countRefused(s, dataplane.DropChallenged)
	out := d.drop(dataplane.DropChallenged)
	if p.more {
		return out
	}
	return p.answerSYN(l, ChallengeNumber(d.cfg.ChallengeKey, p.tuple, d.now, p.seq), ack)
}

// takeAnswer drops a RST without an entry. If it answers a challenge, its source is validated.
func (d *Dataplane) takeAnswer(p *packet, s *service) Outcome {
	key, slot, bits := d.cfg.ChallengeKey, slotOf(d.now), p.seq&challengeMask
	if bits != challengeBits(key, p.tuple, slot) && bits != challengeBits(key, p.tuple, slot-1) {
		return d.drop(dataplane.DropNoChallenge)
	}
	d.validate(dataplane.FlowCounter{Service: s.Service.Service, Source: p.tuple.Src})
	return d.drop(dataplane.DropValidated)
}

// validate remembers a source. If there is no room, the one validated first is forgotten.
func (d *Dataplane) validate(of dataplane.FlowCounter) {
	if _, known := d.validated[of]; !known {
		if len(d.validations) == dataplane.MaxValidated {
			delete(d.validated, d.validations[0])
			d.validations = d.validations[1:]
		}
		d.validations = append(d.validations, of)
	}
	d.validated[of] = d.now.Add(dataplane.ValidatedLife)
}
