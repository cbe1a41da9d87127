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

// secretLen is the length of a new secret, leastSecret that of the shortest taken.
const (
	secretLen   = 32
	leastSecret = 16
)

// NewSecret draws what the two nodes of a pair authenticate their heartbeat with, as a
// file: a line of hexadecimal digits.
func NewSecret() []byte {
	var secret [secretLen]byte
	_, _ = rand.Read(secret[:]) // it does not fail
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

// HeartbeatKey is the key of what a node sends from an address, for BFD's SHA1
// authentication; nil without a secret. Each direction of each path has its own, so that
// a packet proves nothing where it was not sent: not to its sender, to whom somebody
// sends it back, and not on the other path.
func (i *Identity) HeartbeatKey(node string, from netip.Addr) []byte {
	if i.secret == nil {
		return nil
	}
	mac := hmac.New(sha256.New, i.secret)
	fmt.Fprintf(mac, "baton bfd 1\x00%s\x00%s", node, from)
	return mac.Sum(nil)[:20] // the most that SHA1 authentication takes (RFC 5880 4.4)
}
