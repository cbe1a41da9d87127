package bfd

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
)

// Offsets into an authentication section, and its length before password or digest.
const (
	offsetAuthType = 0
	offsetAuthLen  = 1
	offsetKeyID    = 2
	passwordPrefix = 3
	offsetSeq      = 4
	digestPrefix   = 8
)

// authenticator adds the authentication section to transmitted packets and checks
// that of received ones (RFC 5880 section 6.7). The owner of a session may change
// the Auth; the sequence numbers continue.
type authenticator struct {
	Auth
	xmitSeq uint32 // bfd.XmitAuthSeq
	rcvSeq  uint32 // bfd.RcvAuthSeq
	known   bool   // bfd.AuthSeqKnown
	last    header // the last packet sent; a non-meticulous sequence number advances when it changes

	scratch [256]byte // the received packet with the secret in place of its digest
}

// seal appends the authentication section to a control packet without one.
func (a *authenticator) seal(b []byte) []byte {
	if a.Type == AuthNone {
		return b
	}
	if h := header(b); a.Type.meticulous() || h != a.last {
		a.last = h
		a.xmitSeq++
	}
	key := a.key(a.SendKey)
	b[offsetFlags] |= flagAuth
	if a.Type == AuthSimplePassword {
		n := passwordPrefix + len(key.Secret)
		b[offsetLength] = byte(headerLen + n)
		b = append(b, byte(a.Type), byte(n), key.ID)
		return append(b, key.Secret...)
	}
	digestLen := authTypes[a.Type].digestLen
	n := digestPrefix + digestLen
	b[offsetLength] = byte(headerLen + n)
	b = append(b, byte(a.Type), byte(n), key.ID, 0)
	b = binary.BigEndian.AppendUint32(b, a.xmitSeq)
	at := len(b)
	b = append(b, make([]byte, digestLen)...)
	copy(b[at:], key.Secret)
	digest := a.digest(b)
	copy(b[at:], digest[:digestLen])
	return b
}

// verify checks the authentication of a received control packet, in the order of
// RFC 5880 sections 6.7.2 to 6.7.4; p is the decoded packet. Only a packet with the
// right digest changes the sequence number. The RFC stores an unknown number before
// it checks the digest, which would let a forger choose it.
func (a *authenticator) verify(b []byte, p *Packet, e *DropError) bool {
	switch {
	case a.Type == AuthNone && p.Auth == nil:
		return true
	case a.Type == AuthNone:
		return e.set(DropAuthUnexpected, 0, 0)
	case p.Auth == nil:
		return e.set(DropAuthMissing, 0, 0)
	}
	section := p.Auth
	if got := AuthType(section[offsetAuthType]); got != a.Type {
		return e.set(DropAuthType, int(got), int(a.Type))
	}
	if len(section) <= offsetKeyID {
		return e.set(DropAuthLen, len(section), passwordPrefix)
	}
	key := a.key(section[offsetKeyID])
	if key == nil || key.SendOnly {
		return e.set(DropAuthKeyID, int(section[offsetKeyID]), int(a.SendKey))
	}
	want := a.sectionLen(key)
	if got := int(section[offsetAuthLen]); got != want || len(section) < want {
		return e.set(DropAuthLen, min(got, len(section)), want)
	}
	if a.Type == AuthSimplePassword {
		if subtle.ConstantTimeCompare(section[passwordPrefix:want], key.Secret) == 0 {
			return e.set(DropAuthDigest, 0, 0)
		}
		return true
	}
	seq := binary.BigEndian.Uint32(section[offsetSeq:])
	if !a.inWindow(seq, p.DetectMult) {
		*e = DropError{Reason: DropAuthSeq, Got: seq, Want: a.rcvSeq}
		return false
	}
	if !a.digestMatches(b[:b[offsetLength]], section[digestPrefix:want], key) {
		return e.set(DropAuthDigest, 0, 0)
	}
	a.rcvSeq, a.known = seq, true
	return true
}

// sectionLen returns the required length of an authentication section made with a key.
func (a *authenticator) sectionLen(key *Key) int {
	if a.Type == AuthSimplePassword {
		return passwordPrefix + len(key.Secret)
	}
	return digestPrefix + authTypes[a.Type].digestLen
}

// inWindow compares a sequence number with bfd.RcvAuthSeq in circular arithmetic.
func (a *authenticator) inWindow(seq uint32, detectMult uint8) bool {
	if !a.known {
		return true
	}
	ahead := seq - a.rcvSeq
	if a.Type.meticulous() && ahead == 0 {
		return false
	}
	if a.Resumes {
		return ahead < 1<<31
	}
	return ahead <= 3*uint32(detectMult)
}

// digestMatches compares a digest with that of the packet with the key's secret in its
// place.
func (a *authenticator) digestMatches(packet, got []byte, key *Key) bool {
	with := a.scratch[:copy(a.scratch[:], packet)]
	field := with[headerLen+digestPrefix:][:len(got)]
	clear(field)
	copy(field, key.Secret)
	digest := a.digest(with)
	return subtle.ConstantTimeCompare(got, digest[:len(got)]) == 1
}

// digest returns the MD5 or SHA1 digest, in an array that can hold either.
func (a *authenticator) digest(b []byte) (sum [sha1.Size]byte) {
	switch a.Type {
	case AuthKeyedMD5, AuthMeticulousKeyedMD5:
		short := md5.Sum(b)
		copy(sum[:], short[:])
	default:
		sum = sha1.Sum(b)
	}
	return sum
}
