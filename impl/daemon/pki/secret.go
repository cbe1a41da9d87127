package pki

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
)

// secretLen is the length of a new secret, leastSecret the minimum accepted length.
const (
	secretLen   = 32
	leastSecret = 16
)

// NewSecret draws the secret with which the two nodes of a pair authenticate their
// heartbeat, as a file: a line of hexadecimal digits.
func NewSecret() []byte {
	var secret [secretLen]byte
	_, _ = rand.Read(secret[:]) // never fails
	return append(hex.AppendEncode(nil, secret[:]), '\n')
}

// readSecret reads such a file.
func readSecret(file string) ([]byte, error) {
	text, err := read("secret", file, "secret that both nodes share")
	if err != nil {
		return nil, err
	}
	secret, err := hex.AppendDecode(nil, bytes.TrimSpace(text))
	if err != nil || len(secret) < leastSecret {
		return nil, &FileError{"secret", fmt.Sprintf("%s holds no secret of %d bytes or more in hexadecimal digits; make one with baton pki init", file, leastSecret)}
	}
	return secret, nil
}

// HeartbeatKey returns the key for packets that a node sends from an address, for BFD's
// SHA1 authentication; nil without a secret. Each direction of each path has its own key,
// so that a packet is only valid where it was sent to: neither reflected to its sender nor
// on another path.
func (i *Identity) HeartbeatKey(node string, from netip.Addr) []byte {
	if i.secret == nil {
		return nil
	}
	mac := hmac.New(sha256.New, i.secret)
	fmt.Fprintf(mac, "baton bfd 1\x00%s\x00%s", node, from)
	return mac.Sum(nil)[:20] // the maximum of SHA1 authentication (RFC 5880 4.4)
}
