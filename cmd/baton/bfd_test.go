package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/impl/daemon/control"
)

// TestBFDRefusesBadInput: by name of the key, line and section, and with exit code 2,
// before anything is opened.
func TestBFDRefusesBadInput(t *testing.T) {
	const head = "control: bfd.sock\nsessions:\n"
	session := func(more string) string {
		return head + "  - {name: r1, local: 198.18.9.1, peer: 198.18.9.2, interface: a0" + more + "}\n"
	}
	auth := func(kind, secret string) string {
		return session(", auth: {type: " + kind + ", keys: [{id: 1, secret: " + secret + "}]}")
	}
	for _, c := range []struct{ name, text, want string }{
		{"interval of 0", session(", tx: 0s"), "bfd.yaml:3: sessions[0].tx: 0s is out of range; use 1ms to 1h11m34.967295s (RFC 5880 4.1)"},
		{"interval beyond 32 bits", session(", rx: 72m"), "bfd.yaml:3: sessions[0].rx: 1h12m0s is out of range; use 1ms to 1h11m34.967295s (RFC 5880 4.1)"},
		{"multiplier of 0", session(", mult: 0"), "bfd.yaml:3: sessions[0].mult: 0 is out of range; use 1 to 255 (RFC 5880 6.8.1)"},
		{"multiplier of 256", session(", mult: 256"), `bfd.yaml:3: sessions[0].mult: "256" is not a whole number from 0 to 255`},
		{"unknown authentication", auth("sha256", "x"), `sessions[0].auth.type: "sha256" is not an authentication type (RFC 5880 4.1); use simple,`},
		{"password too long", auth("simple", strings.Repeat("p", 17)), "sessions[0].auth: secret of key 1 has 17 bytes, Simple Password takes 1 to 16 (RFC 5880 6.7.2)"},
		{"MD5 key too long", auth("keyed-md5", strings.Repeat("p", 17)), "secret of key 1 has 17 bytes, Keyed MD5 takes 1 to 16 (RFC 5880 6.7.3)"},
		{"SHA1 key too long", auth("keyed-sha1", strings.Repeat("p", 21)), "secret of key 1 has 21 bytes, Keyed SHA1 takes 1 to 20 (RFC 5880 6.7.4)"},
		{"empty key", auth("keyed-sha1", `""`), "secret of key 1 has 0 bytes"},
		{"one single hop twice", session("") + "  - {name: r2, local: 198.18.9.3, peer: 198.18.9.2, interface: a0}\n",
			"bfd.yaml:4: sessions[1]: collides with the session on line 3: both are with 198.18.9.2 on a0 (RFC 5881 3, RFC 5883 4.1)"},
		{"one multihop twice", head + strings.Repeat("  - {name: r1, mode: multihop, local: 198.18.9.1, peer: 198.18.9.2}\n", 1) +
			"  - {name: r2, mode: multihop, local: 198.18.9.1, peer: 198.18.9.2}\n", "sessions[1]: collides with the session on line 3"},
		{"one name twice", session("") + "  - {name: r1, local: 198.18.9.1, peer: 198.18.9.3, interface: a0}\n", `sessions[1].name: "r1" names the session on line 3 too`},
		{"two protocols", head + "  - {name: r1, local: 198.18.9.1, peer: \"2001:2::2\", interface: a0}\n", "is of another protocol than 198.18.9.1; one session has one (RFC 5881 2)"},
		{"single hop without an interface", head + "  - {name: r1, local: 198.18.9.1, peer: 198.18.9.2}\n", "needs the interface that it is bound to (RFC 5881 3)"},
		{"least TTL of a single hop", session(", min_ttl: 250"), "sessions[0].min_ttl: is of multihop alone; a single hop takes 255 (RFC 5881 5)"},
		{"no least TTL of a multihop", head + "  - {name: r1, mode: multihop, local: 198.18.9.1, peer: 198.18.9.2, min_ttl: 0}\n", "bfd.yaml:3: sessions[0].min_ttl: 0 is out of range; use 1, which any packet has, to 255, which no router may lower (RFC 5082 3)"},
		{"unknown key", session(", txx: 50ms"), "sessions[0].txx is not a key; did you mean sessions[0].tx?"},
		{"no session", "control: bfd.sock\nsessions: []\n", "sessions: is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "bfd.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			r := baton(t, "bfd", "--config", file)
			if r.code != exitBadInput || !strings.Contains(r.errout, c.want) || strings.Count(r.errout, "\n") != 1 {
				t.Errorf("exit %d and %q, want 2 and one line with %q", r.code, r.errout, c.want)
			}
		})
	}
}

// TestBFDStatusTellsWhatWasDiscarded: by reason, whoever discarded it, and nothing
// where nothing was.
func TestBFDStatusTellsWhatWasDiscarded(t *testing.T) {
	status := control.BFDStatus{
		Filtered: map[string]uint64{"ttl": 3, "version": 1}, NoSession: 2,
		Sessions: []control.BFDSession{{Counters: control.BFDCounters{Dropped: map[string]uint64{"ttl": 1, "auth_digest": 4}}}},
	}
	var out strings.Builder
	if err := printSessions(&out, status); err != nil || !strings.HasSuffix(out.String(), "\ndiscarded: auth_digest 4, no_session 2, ttl 4, version 1\n") {
		t.Errorf("printed %q, %v", out.String(), err)
	}
	out.Reset()
	if err := printSessions(&out, control.BFDStatus{}); err != nil || strings.Contains(out.String(), "discarded") {
		t.Errorf("printed %q, %v", out.String(), err)
	}
}
