package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"baton/impl/ctsync"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// The node's own messages share the sync stream with those of ctsync, whose types are
// below typeState. All fields are big-endian and of fixed length, except for the id at the
// end.
const (
	typeState     = 0x80 // role, rank and what was heard of the peer
	typeRequest   = 0x81 // the synced preferred node asks for the role
	typeGrant     = 0x82 // the MASTER gives the role
	typeKeepalive = 0x83 // the sender is alive
	typeServices  = 0x84 // digests of the sender's services
	typeDecision  = 0x85 // a decision of the MASTER

	maxID = 63
)

// Versions of the protocol. Two nodes speak the newest that both know.
const (
	// Version is the newest version.
	Version = ctsync.Version
	// VersionMin is the oldest supported version.
	VersionMin = ctsync.VersionMin

	// versionKeepalive is the first version with keepalives. Since then states carry
	// Witnessed, Flows, Damped and Detect.
	versionKeepalive = 2
	// versionServices is the first version in which nodes exchange their services, and a
	// MASTER its decisions.
	versionServices = 4
	// versionRelay is the first version in which states carry MACs.
	versionRelay = 5
	// versionDoubts is the first version in which nodes doubt by diagDoubt on every path.
	versionDoubts = 8
)

const (
	flagAble = 1 << iota
	flagComplete
	flagAsk
	flagDamped // from version 2
	flagUnread // from version 2
	flagsOfV1  = flagAble | flagComplete | flagAsk
	flagsKnown = flagsOfV1 | flagDamped | flagUnread
)

// state is a node's report about itself. Seq counts the states that the node has sent.
// Seen is the largest Seq that it has received, so the peer can tell whether the node sent
// this state before or after it received a given one.
type state struct {
	Role        ha.Role
	Rank        ha.Rank
	Incarnation uint64
	Seq, Seen   uint64
	Ask         bool // the peer should answer at once
	// Unread: the sender leads, and it may have flows that it has not sent, because it
	// could not read its dataplane.
	Unread bool
	// Detect is how long the stream may be silent before the sender counts as not heard on
	// it; 0 if the sender sends no keepalives.
	Detect time.Duration
	// MACs are the hardware addresses of the sender's service links; zero if the sender
	// does not send them.
	MACs [serviceLinks]MAC
}

func (s *state) fingerprint(h *fingerprint.Hash) {
	h.Number(uint64(s.Role))
	s.Rank.Fingerprint(h)
	h.Counter(fingerprint.Incarnation, s.Incarnation)
	h.Counter(fingerprint.Seq, s.Seq)
	h.Counter(fingerprint.Seq, s.Seen)
	h.Flag(s.Ask)
	h.Flag(s.Unread)
	h.Number(uint64(s.Detect))
	for _, mac := range s.MACs {
		h.Text(string(mac[:]))
	}
}

// grant gives the peer the role, to be taken once the peer has applied everything up to
// Barrier of Epoch.
type grant struct {
	Epoch   uint32
	Barrier uint64
}

const (
	headerLen    = 2                             // type and version
	stateLenV1   = 2 + 1 + 1 + 1 + 4 + 8 + 8 + 8 // and the id
	stateLenV2   = stateLenV1 + 4 + 4 + 4        // Witnessed, Flows, Detect; and the id
	stateLen     = stateLenV2 + serviceLinks*6   // MACs; and the id
	requestLen   = 2
	grantLen     = 2 + 4 + 8
	keepaliveLen = 2
)

// encode encodes a state for a version of the protocol.
func (s state) encode(version uint8) []byte {
	var flags byte
	for _, f := range []struct {
		set bool
		bit byte
	}{{s.Rank.Able, flagAble}, {s.Rank.Complete, flagComplete}, {s.Ask, flagAsk}, {s.Rank.Damped && version > 1, flagDamped}, {s.Unread && version > 1, flagUnread}} {
		if f.set {
			flags |= f.bit
		}
	}
	b := []byte{typeState, version, byte(s.Role), flags, s.Rank.Priority}
	b = binary.BigEndian.AppendUint32(b, s.Rank.Epoch)
	b = binary.BigEndian.AppendUint64(b, s.Incarnation)
	b = binary.BigEndian.AppendUint64(b, s.Seq)
	b = binary.BigEndian.AppendUint64(b, s.Seen)
	if version > 1 {
		b = binary.BigEndian.AppendUint32(b, s.Rank.Witnessed)
		b = binary.BigEndian.AppendUint32(b, s.Rank.Flows)
		b = binary.BigEndian.AppendUint32(b, uint32(s.Detect/time.Microsecond))
	}
	if version >= versionRelay {
		for _, mac := range s.MACs {
			b = append(b, mac[:]...)
		}
	}
	return append(b, s.Rank.ID...)
}

// stateLenOf is the length of a state in a version of the protocol, without the id.
func stateLenOf(version uint8) int {
	switch {
	case version == 1:
		return stateLenV1
	case version < versionRelay:
		return stateLenV2
	}
	return stateLen
}

func decodeState(b []byte) (state, error) {
	length := stateLenOf(b[1])
	if len(b) <= length || len(b) > length+maxID {
		return state{}, fmt.Errorf("node: state message: length %d is not %d to %d", len(b), length+1, length+maxID)
	}
	role, flags := ha.Role(b[2]), b[3]
	if !role.Valid() {
		return state{}, fmt.Errorf("node: state message: role %d is unknown", b[2])
	}
	known := byte(flagsKnown)
	if b[1] == 1 {
		known = flagsOfV1
	}
	if flags&^known != 0 {
		return state{}, fmt.Errorf("node: state message: flags %#x are unknown", flags&^known)
	}
	s := state{
		Role: role,
		Rank: ha.Rank{
			Able: flags&flagAble != 0, Complete: flags&flagComplete != 0, Damped: flags&flagDamped != 0,
			Priority: b[4], Epoch: binary.BigEndian.Uint32(b[5:]), ID: string(b[length:]),
		},
		Incarnation: binary.BigEndian.Uint64(b[9:]),
		Seq:         binary.BigEndian.Uint64(b[17:]),
		Seen:        binary.BigEndian.Uint64(b[25:]),
		Ask:         flags&flagAsk != 0,
		Unread:      flags&flagUnread != 0,
	}
	if b[1] > 1 {
		s.Rank.Witnessed = binary.BigEndian.Uint32(b[33:])
		s.Rank.Flows = binary.BigEndian.Uint32(b[37:])
		s.Detect = time.Duration(binary.BigEndian.Uint32(b[41:])) * time.Microsecond
	}
	if b[1] >= versionRelay {
		for i := range s.MACs {
			s.MACs[i] = MAC(b[stateLenV2+6*i:])
		}
	}
	return s, nil
}

func encodeRequest(version uint8) []byte { return []byte{typeRequest, version} }

// keepalives holds the effect that sends a keepalive, by version. The effects are shared,
// so that sending allocates nothing.
var keepalives = func() (by [Version + 1]Effect) {
	for version := range by {
		by[version] = SendSync{Data: []byte{typeKeepalive, byte(version)}}
	}
	return by
}()

func checkKeepalive(b []byte) error {
	if len(b) != keepaliveLen {
		return badLength("keepalive", len(b), keepaliveLen)
	}
	return nil
}

func (g grant) encode(version uint8) []byte {
	b := []byte{typeGrant, version}
	b = binary.BigEndian.AppendUint32(b, g.Epoch)
	return binary.BigEndian.AppendUint64(b, g.Barrier)
}

func decodeGrant(b []byte) (grant, error) {
	if len(b) != grantLen {
		return grant{}, fmt.Errorf("node: grant message: length %d is not %d", len(b), grantLen)
	}
	return grant{Epoch: binary.BigEndian.Uint32(b[2:]), Barrier: binary.BigEndian.Uint64(b[6:])}, nil
}

// checkHeader refuses a message of another version than the stream's before it is decoded,
// and names the version.
func checkHeader(b []byte, version uint8) error {
	if len(b) < 2 {
		return errors.New("node: message shorter than its header")
	}
	if b[1] != version {
		return fmt.Errorf("node: message type %#x: version %d on a stream of version %d", b[0], b[1], version)
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
