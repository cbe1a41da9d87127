package bfd

import (
	"fmt"
	"strconv"
	"strings"
)

// Drop is the reason why a received packet was discarded, in the order of RFC 5880
// section 6.8.6, followed by the reasons for echo packets.
type Drop uint8

const (
	DropVersion        Drop = iota // protocol version other than 1
	DropLength                     // Length below that of the mandatory section
	DropTruncated                  // Length beyond the datagram
	DropDetectMult                 // Detect Mult of zero
	DropMultipoint                 // M bit set
	DropMyDiscr                    // My Discriminator of zero
	DropYourDiscr                  // Your Discriminator is not this session's
	DropState                      // Your Discriminator of zero in state Init or Up
	DropTTL                        // TTL or hop limit below the least allowed (RFC 5881 section 5)
	DropAuthUnexpected             // A bit set, no authentication in use
	DropAuthMissing                // A bit clear, authentication in use
	DropAuthType                   // authentication of another type than the one in use
	DropAuthKeyID                  // no such key
	DropAuthLen                    // Auth Len not that of the type and key
	DropAuthSeq                    // sequence number outside the window: a replay, or a peer that restarted
	DropAuthDigest                 // wrong password or digest
	DropAdminDown                  // this session is held in AdminDown
	DropNotLooped                  // an unaffiliated echo packet that this session has not sent
	DropEchoForged                 // an echo packet that this session has not sent
	DropEchoStale                  // an echo packet that came back twice, or too late
	dropKinds
)

// DropKinds is the number of drop reasons.
const DropKinds = int(dropKinds)

// drops describes each reason: a stable key for metrics, what was wrong, and the
// rule. Where the text has verbs, they print Got and Want of the DropError.
var drops = [dropKinds]struct{ key, text, rule string }{
	DropVersion:        {"version", "version %d is not %d", "RFC 5880 6.8.6"},
	DropLength:         {"length", "length %d < %d", "RFC 5880 6.8.6"},
	DropTruncated:      {"truncated", "length %d > %d bytes received", "RFC 5880 6.8.6"},
	DropDetectMult:     {"detect_mult", "Detect Mult is 0", "RFC 5880 6.8.6"},
	DropMultipoint:     {"multipoint", "Multipoint bit is set", "RFC 5880 6.8.6"},
	DropMyDiscr:        {"my_discr", "My Discriminator is 0", "RFC 5880 6.8.6"},
	DropYourDiscr:      {"your_discr", "Your Discriminator %d is not this session's %d", "RFC 5880 6.8.6"},
	DropState:          {"state", "Your Discriminator is 0 in state %d, which is above %d", "RFC 5880 6.8.6"},
	DropTTL:            {"ttl", "TTL %d < %d", "RFC 5881 5"},
	DropAuthUnexpected: {"auth_unexpected", "authenticated, but no authentication is in use", "RFC 5880 6.8.6"},
	DropAuthMissing:    {"auth_missing", "not authenticated, but authentication is in use", "RFC 5880 6.8.6"},
	DropAuthType:       {"auth_type", "Auth Type %d is not %d", "RFC 5880 6.7"},
	DropAuthKeyID:      {"auth_key_id", "Auth Key ID %d is not configured, transmitting with %d", "RFC 5880 6.7"},
	DropAuthLen:        {"auth_len", "Auth Len %d is not %d", "RFC 5880 6.7"},
	DropAuthSeq:        {"auth_seq", "sequence number %d is outside the window after %d", "RFC 5880 6.7"},
	DropAuthDigest:     {"auth_digest", "wrong password or digest", "RFC 5880 6.7"},
	DropAdminDown:      {"admin_down", "session is AdminDown", "RFC 5880 6.8.6"},
	DropNotLooped:      {"not_looped", "My Discriminator %d is not this session's %d", "RFC 9747 2"},
	DropEchoForged:     {"echo_forged", "not an echo packet of this session", "RFC 5880 6.8.8"},
	DropEchoStale:      {"echo_stale", "echo packet came back before, or too late", "RFC 5880 6.8.8"},
}

// String returns a short stable key, fit for a metric's label.
func (d Drop) String() string {
	if d < dropKinds {
		return drops[d].key
	}
	return "Drop(" + strconv.Itoa(int(d)) + ")"
}

// DropError says why a received packet was discarded.
type DropError struct {
	Reason Drop
	// Got and Want are the packet's value and the required one, if the reason is about
	// a number (see the text of Error).
	Got, Want uint32
}

func (e *DropError) Error() string {
	if e.Reason >= dropKinds {
		return "bfd: receive: " + e.Reason.String()
	}
	d := drops[e.Reason]
	text := d.text
	if strings.Contains(text, "%") {
		text = fmt.Sprintf(text, e.Got, e.Want)
	}
	return "bfd: receive: " + text + " (" + d.rule + ")"
}

// set fills in the error and returns false, for use in the decoder's return statements.
func (e *DropError) set(reason Drop, got, want int) bool {
	*e = DropError{Reason: reason, Got: uint32(got), Want: uint32(want)}
	return false
}
