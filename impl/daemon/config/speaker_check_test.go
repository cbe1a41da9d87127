package config

import (
	"strings"
	"testing"
)

// TestASecondSessionOnAPathIsRefused: two sessions between the same two systems would fail
// together.
// Conformance: RFC 5881 2/1
func TestASecondSessionOnAPathIsRefused(t *testing.T) {
	const (
		first = "{name: r1, local: 198.18.9.1, peer: 198.18.9.2, interface: a0}"
		far   = "{name: f1, mode: multihop, local: 198.18.9.1, peer: 198.18.7.2}"
	)
	for _, c := range []struct {
		name, first, second string
		refused             bool
	}{
		{"the same again", first, "{name: r2, local: 198.18.9.1, peer: 198.18.9.2, interface: a0}", true},
		{"from another address", first, "{name: r2, local: 198.18.9.3, peer: 198.18.9.2, interface: a0}", true},
		{"unaffiliated", first, "{name: r2, mode: unaffiliated-echo, local: 198.18.9.1, peer: 198.18.9.2, interface: a0, echo: {source: 198.18.77.1}}", true},
		{"by another interface", first, "{name: r2, local: 198.18.9.1, peer: 198.18.9.2, interface: b0}", false},
		{"with another system", first, "{name: r2, local: 198.18.9.1, peer: 198.18.9.3, interface: a0}", false},
		{"of the other protocol", first, `{name: r2, local: "2001:2:0:9::1", peer: "2001:2:0:9::2", interface: a0}`, false},
		{"multihop again", far, "{name: f2, mode: multihop, local: 198.18.9.1, peer: 198.18.7.2}", true},
		{"multihop from another address", far, "{name: f2, mode: multihop, local: 198.18.9.3, peer: 198.18.7.2}", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseSpeaker("/etc/bfd.yaml", []byte("control: bfd.sock\nsessions:\n  - "+c.first+"\n  - "+c.second+"\n"))
			if c.refused != (err != nil && strings.Contains(err.Error(), "bfd.yaml:4: sessions[1]: collides with the session on line 3")) || !c.refused && err != nil {
				t.Errorf("%v, want refused: %v", err, c.refused)
			}
		})
	}
}
