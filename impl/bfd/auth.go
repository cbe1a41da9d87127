package bfd

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AuthType is bfd.AuthType (RFC 5880 section 4.1).
type AuthType uint8

const (
	AuthNone AuthType = iota
	AuthSimplePassword
	AuthKeyedMD5
	AuthMeticulousKeyedMD5
	AuthKeyedSHA1 // preferred; use its meticulous form where replay matters
	AuthMeticulousKeyedSHA1
)

// authTypes describes each type: its name in IANA's registry, the length of its
// digest and the greatest length of a secret.
var authTypes = [...]struct {
	name      string
	digestLen int
	maxSecret int
	section   string
}{
	AuthNone:                {"None", 0, 0, ""},
	AuthSimplePassword:      {"Simple Password", 0, 16, "6.7.2"},
	AuthKeyedMD5:            {"Keyed MD5", 16, 16, "6.7.3"},
	AuthMeticulousKeyedMD5:  {"Meticulous Keyed MD5", 16, 16, "6.7.3"},
	AuthKeyedSHA1:           {"Keyed SHA1", 20, 20, "6.7.4"},
	AuthMeticulousKeyedSHA1: {"Meticulous Keyed SHA1", 20, 20, "6.7.4"},
}

// String returns the name in IANA's registry of BFD authentication types.
func (t AuthType) String() string {
	if int(t) < len(authTypes) {
		return authTypes[t].name
	}
	return "AuthType(" + strconv.Itoa(int(t)) + ")"
}

func (t AuthType) meticulous() bool {
	return t == AuthMeticulousKeyedMD5 || t == AuthMeticulousKeyedSHA1
}

// Key is a secret with the number by which packets refer to it.
type Key struct {
	ID     uint8
	Secret []byte // 1 to 16 bytes for a password and MD5, 1 to 20 for SHA1
	// SendOnly keys are only used by this end. A received packet made with one is this end's
	// own, reflected by somebody, and is discarded as if the key did not exist.
	SendOnly bool
}

// Auth is how a session authenticates. Packets made with any key that is not SendOnly
// are accepted, so that a key can be exchanged without losing the session: give both
// sides the new key, then change SendKey on both, then remove the old key.
type Auth struct {
	Type    AuthType // AuthNone: none, and authenticated packets are discarded
	Keys    []Key
	SendKey uint8 // ID of the key to transmit with

	// FirstSeq is the first sequence number of a new session, see ResumedSeq; 0 draws one
	// from Config.Seed (RFC 5880 section 6.8.1).
	FirstSeq uint32
	// Resumes says that the peer's first sequence number is above all that it used before. Then
	// any number above the last is accepted, so that a restarted peer is heard at once. By the
	// RFC alone, a number more than 3 × DetectMult above the last is discarded until no packet
	// has arrived for twice the Detection Time: six seconds after a leaving peer's AdminDown.
	Resumes bool
}

// ResumedSeq is the first sequence number of a session created at now, read from a clock
// that continues while the system is down. It counts quarters of the shorter interval of the
// two directions. A session sends fewer packets than that, Finals included, so the next
// session begins above them.
func ResumedSeq(now time.Duration, desiredMinTx, requiredMinRx time.Duration) uint32 {
	return max(uint32(now/max(min(desiredMinTx, requiredMinRx)/4, 1)), 1)
}

// ParseSecret reads a secret as an operator writes it: an ASCII string, or 0x and
// hexadecimal digits for arbitrary bytes (RFC 5880 sections 6.7.2 to 6.7.4).
func ParseSecret(text string) ([]byte, error) {
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		secret, err := hex.DecodeString(digits)
		if err != nil {
			return nil, fmt.Errorf("bfd: parse secret: %w (RFC 5880 6.7)", err)
		}
		return secret, nil
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return nil, fmt.Errorf("bfd: parse secret: byte %d is not printable ASCII; write 0x and hexadecimal digits (RFC 5880 6.7)", i)
		}
	}
	return []byte(text), nil
}

// Validate reports the first violation of the RFC, by name and section.
func (a Auth) Validate() error {
	if int(a.Type) >= len(authTypes) {
		return fmt.Errorf("bfd: config: Auth.Type %d is none of 1 to 5 (RFC 5880 4.1)", a.Type)
	}
	if a.Type == AuthNone {
		if len(a.Keys) != 0 {
			return fmt.Errorf("bfd: config: Auth.Keys without Auth.Type (RFC 5880 6.7)")
		}
		return nil
	}
	kind := authTypes[a.Type]
	seen := map[uint8]bool{}
	for _, k := range a.Keys {
		if seen[k.ID] {
			return fmt.Errorf("bfd: config: Auth.Keys has the ID %d twice (RFC 5880 %s)", k.ID, kind.section)
		}
		seen[k.ID] = true
		if n := len(k.Secret); n == 0 || n > kind.maxSecret {
			return fmt.Errorf("bfd: config: secret of key %d has %d bytes, %v takes 1 to %d (RFC 5880 %s)",
				k.ID, n, a.Type, kind.maxSecret, kind.section)
		}
	}
	if !seen[a.SendKey] {
		return fmt.Errorf("bfd: config: Auth.SendKey %d is none of Auth.Keys (RFC 5880 %s)", a.SendKey, kind.section)
	}
	return nil
}

// key returns the key with an ID, nil if there is none. Keys are few.
func (a *Auth) key(id uint8) *Key {
	for i := range a.Keys {
		if a.Keys[i].ID == id {
			return &a.Keys[i]
		}
	}
	return nil
}
