package node

import (
	"encoding/binary"
	"errors"
	"fmt"

	"baton/impl/ha"
)

// The node's own messages share the sync stream with ctsync's, which use the
// types below typeState. All fields are big-endian and of fixed length but for
// the id at the end.
const (
	typeState   = 0x80 // role, rank and what was heard of the peer
	typeRequest = 0x81 // the synced preferred node asks for the role
	typeGrant   = 0x82 // the MASTER gives it

	wireVersion = 1
	maxID       = 63
)

const (
	flagAble = 1 << iota
	flagComplete
	flagAsk
	flagsKnown = flagAble | flagComplete | flagAsk
)

// state is what a node says of itself. Seq counts the states that it has sent
// and Seen is the largest Seq it has had from the peer, so that the peer can tell
// whether this one was said before or after it heard a certain other.
type state struct {
	Role        ha.Role
	Rank        ha.Rank
	Incarnation uint64
	Seq, Seen   uint64
	Ask         bool // answer at once
}

// grant gives the role to the peer, once it has applied everything up to Barrier of Epoch.
type grant struct {
	Epoch   uint32
	Barrier uint64
}

const (
	stateLen   = 2 + 1 + 1 + 1 + 4 + 8 + 8 + 8 // and the id
	requestLen = 2
	grantLen   = 2 + 4 + 8
)

func (s state) encode() []byte {
	var flags byte
	for _, f := range []struct {
		set bool
		bit byte
	}{{s.Rank.Able, flagAble}, {s.Rank.Complete, flagComplete}, {s.Ask, flagAsk}} {
		if f.set {
			flags |= f.bit
		}
	}
	b := []byte{typeState, wireVersion, byte(s.Role), flags, s.Rank.Priority}
	b = binary.BigEndian.AppendUint32(b, s.Rank.Epoch)
	b = binary.BigEndian.AppendUint64(b, s.Incarnation)
	b = binary.BigEndian.AppendUint64(b, s.Seq)
	b = binary.BigEndian.AppendUint64(b, s.Seen)
	return append(b, s.Rank.ID...)
}

func decodeState(b []byte) (state, error) {
	if len(b) <= stateLen || len(b) > stateLen+maxID {
		return state{}, fmt.Errorf("node: state message: length %d is not %d to %d", len(b), stateLen+1, stateLen+maxID)
	}
	role, flags := ha.Role(b[2]), b[3]
	if !role.Valid() {
		return state{}, fmt.Errorf("node: state message: role %d is unknown", b[2])
	}
	if flags&^flagsKnown != 0 {
		return state{}, fmt.Errorf("node: state message: flags %#x are unknown", flags&^flagsKnown)
	}
	return state{
		Role: role,
		Rank: ha.Rank{
			Able: flags&flagAble != 0, Complete: flags&flagComplete != 0,
			Priority: b[4], Epoch: binary.BigEndian.Uint32(b[5:]), ID: string(b[stateLen:]),
		},
		Incarnation: binary.BigEndian.Uint64(b[9:]),
		Seq:         binary.BigEndian.Uint64(b[17:]),
		Seen:        binary.BigEndian.Uint64(b[25:]),
		Ask:         flags&flagAsk != 0,
	}, nil
}

func encodeRequest() []byte { return []byte{typeRequest, wireVersion} }

func (g grant) encode() []byte {
	b := []byte{typeGrant, wireVersion}
	b = binary.BigEndian.AppendUint32(b, g.Epoch)
	return binary.BigEndian.AppendUint64(b, g.Barrier)
}

func decodeGrant(b []byte) (grant, error) {
	if len(b) != grantLen {
		return grant{}, fmt.Errorf("node: grant message: length %d is not %d", len(b), grantLen)
	}
	return grant{Epoch: binary.BigEndian.Uint32(b[2:]), Barrier: binary.BigEndian.Uint64(b[6:])}, nil
}

// checkHeader refuses messages of another version by name, before they are decoded.
func checkHeader(b []byte) error {
	if len(b) < 2 {
		return errors.New("node: message shorter than its header")
	}
	if b[1] != wireVersion {
		return fmt.Errorf("node: message type %#x: version %d, this node speaks %d", b[0], b[1], wireVersion)
	}
	return nil
}

func unknownType(t byte) error { return fmt.Errorf("node: message type %#x is unknown", t) }

func badLength(what string, got, want int) error {
	return fmt.Errorf("node: %s message: length %d is not %d", what, got, want)
}

func wrongPeer(got, want string) error {
	return fmt.Errorf("node: state message of %q on the stream of peer %q", got, want)
}
