package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/impl/daemon/control"
)

// TestBFDRefusesBadInput: the message names key, line and section, the exit code is 2, and nothing
// is opened.
func TestBFDRefusesBadInput(t *testing.T) {
	const head = "control: bfd.sock\nsessions:\n"
	session := func(more string) string {
		return head + "  - {name: r1, local: 198.18.9.1, peer: 198.18.9.2, interface: a0" + more + "}\n"
	}
	auth := func(kind, secret string) string {
		return session(", auth: {type: " + kind + ", keys: [{id: 1, secret: " + secret + "}]}")
	}
	echo := func(keys string) string { return session(", echo: {" + keys + "}") }
	unaffiliated := func(more string) string {
		return session(", mode: unaffiliated-echo, echo: {source: 198.18.77.1}" + more)
	}
	for _, c := range []struct{ name, text, want string }{
		{"interval of 0", session(", tx: 0s"), "bfd.yaml:3: sessions[0].tx: 0s is out of range; use 1ms to 1h11m34.967295s (RFC 5880 4.1)"},
		{"interval beyond 32 bits", session(", rx: 72m"), "bfd.yaml:3: sessions[0].rx: 1h12m0s is out of range; use 1ms to 1h11m34.967295s (RFC 5880 4.1)"},
		{"multiplier of 0", session(", mult: 0"), "bfd.yaml:3: sessions[0].mult: 0 is out of range; use 1 to 255 (RFC 5880 6.8.1)"},
		{"multiplier of 256", session(", mult: 256"), `bfd.yaml:3: sessions[0].mult: "256" is not a whole number up to 255 (RFC 5880 6.8.1)`},
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
		{"least TTL of a single hop", session(", min_ttl: 250"), "sessions[0].min_ttl: is only used with multihop; a single hop requires 255 (RFC 5881 5)"},
		{"no least TTL of a multihop", head + "  - {name: r1, mode: multihop, local: 198.18.9.1, peer: 198.18.9.2, min_ttl: 0}\n", "bfd.yaml:3: sessions[0].min_ttl: 0 is out of range; use 1, which any packet has, to 255, which no router may lower (RFC 5082 3)"},
		{"echo over several hops", head + "  - {name: r1, mode: multihop, local: 198.18.9.1, peer: 198.18.9.2, echo: {rx: 50ms}}\n",
			"bfd.yaml:3: sessions[0].echo: is of no use to multihop: echo packets cross only one hop (RFC 5883 3)"},
		{"echo interval of 0", echo("tx: 0s, source: 198.18.77.1"), "sessions[0].echo.tx: 0s is out of range; use 1ms to 1h11m34.967295s (RFC 5880 4.1)"},
		{"echo interval beyond 32 bits", echo("rx: 72m"), "sessions[0].echo.rx: 1h12m0s is out of range; use 1ms to 1h11m34.967295s (RFC 5880 4.1)"},
		{"echo that does nothing", echo("source: 198.18.77.1"), "sessions[0].echo: neither sends echo packets nor returns them; add tx, rx or both"},
		{"echo from nowhere", echo("tx: 50ms"), "sessions[0]: needs an address to send echo packets from that is not of a0's subnets (RFC 5881 4)"},
		{"echo from our address on the link", echo("tx: 50ms, source: 198.18.9.1"), "sessions[0].echo.source: 198.18.9.1 is of the link's subnet: the peer could answer with redirects (RFC 5881 4)"},
		{"echo from another protocol", echo(`tx: 50ms, source: "2001:2:0:77::1"`), "sessions[0].echo.source: 2001:2:0:77::1 is of another protocol than 198.18.9.1"},
		{"echo from a link-local address", head + `  - {name: r1, local: "2001:2:0:9::1", peer: "2001:2:0:9::2", interface: a0, echo: {tx: 50ms, source: "fe80::1"}}` + "\n",
			"sessions[0].echo.source: fe80::1 is link-local: the peer could answer with redirects (RFC 5881 4)"},
		{"echo to a link-local address", head + `  - {name: r1, local: "fe80::1", peer: "fe80::2", interface: a0, echo: {tx: 50ms, source: "2001:2:0:77::1"}}` + "\n",
			"sessions[0].local: fe80::1 is link-local, which no system forwards to (RFC 4291 2.5.6)"},
		{"a source without packets", echo("rx: 50ms, source: 198.18.77.1"), "sessions[0].echo.source: is only used to send echo packets; add tx, or leave it out"},
		{"unaffiliated in demand mode", unaffiliated(", demand: true"), "sessions[0].demand: is of no use to an unaffiliated session, whose peer sends nothing of its own (RFC 9747 2)"},
		{"unaffiliated and passive", unaffiliated(", passive: true"), "sessions[0].passive: is of no use to an unaffiliated session"},
		{"unaffiliated with a receive interval", unaffiliated(", rx: 50ms"), "sessions[0].rx: is of no use to an unaffiliated session"},
		{"unaffiliated with two intervals", strings.Replace(unaffiliated(""), "source", "tx: 50ms, source", 1), "sessions[0].echo.tx: is the session's own tx where it is unaffiliated"},
		{"unaffiliated interval of 0", unaffiliated(", tx: 0s"), "sessions[0].tx: 0s is out of range"},
		{"unaffiliated without an interface", strings.Replace(unaffiliated(""), ", interface: a0", "", 1), "needs the interface that it is bound to (RFC 5881 3)"},
		{"unaffiliated beside a single hop", session("") + strings.Replace(strings.TrimPrefix(unaffiliated(""), head), "r1", "r2", 1), "sessions[1]: collides with the session on line 3: both are with 198.18.9.2 on a0"},
		{"negative interval", session(", tx: -50ms"), "sessions[0].tx: -50ms is out of range; use 1ms to 1h11m34.967295s (RFC 5880 4.1)"},
		{"interval between microseconds", session(", tx: 1.0000005s"), "sessions[0].tx: 1.0000005s is finer than BFD counts; use whole microseconds, such as 1.000001s (RFC 5880 4.1)"},
		{"interval without a unit", session(", tx: 50"), `sessions[0].tx: "50" has no unit; write it as 50ms or 50s (RFC 5880 4.1)`},
		{"interval beyond 64 bits", session(", rx: 9999999999h"), `sessions[0].rx: "9999999999h" is out of range (RFC 5880 4.1)`},
		{"negative multiplier", session(", mult: -1"), `sessions[0].mult: "-1" is not a whole number up to 255 (RFC 5880 6.8.1)`},
		{"fractional multiplier", session(", mult: 1.5"), `sessions[0].mult: "1.5" is not a whole number up to 255 (RFC 5880 6.8.1)`},
		{"key id of 300", session(", auth: {type: keyed-sha1, keys: [{id: 300, secret: x}]}"), `sessions[0].auth.keys[0].id: "300" is not a whole number up to 255 (RFC 5880 4.2)`},
		{"key id twice", session(", auth: {type: keyed-sha1, keys: [{id: 1, secret: x}, {id: 1, secret: y}]}"), "sessions[0].auth: Auth.Keys has the ID 1 twice (RFC 5880 6.7.4)"},
		{"no key", session(", auth: {type: keyed-sha1, keys: []}"), "sessions[0].auth.keys: is empty; add at least one key: id and secret (RFC 5880 6.7)"},
		{"key to send with that is none", session(", auth: {type: keyed-sha1, keys: [{id: 1, secret: x}], send: 2}"), "Auth.SendKey 2 is none of Auth.Keys (RFC 5880 6.7.4)"},
		{"key of 21 hexadecimal bytes", auth("keyed-sha1", `"0x`+strings.Repeat("00", 21)+`"`), "secret of key 1 has 21 bytes, Keyed SHA1 takes 1 to 20 (RFC 5880 6.7.4)"},
		{"IPv4 written as IPv6", head + "  - {name: r1, local: \"::ffff:198.18.9.1\", peer: \"::ffff:198.18.9.2\", interface: a0}\n", `sessions[0].local: "::ffff:198.18.9.1" is an IPv4-mapped address; write it as 198.18.9.1`},
		{"address with a zone", head + "  - {name: r1, local: \"fe80::1%a0\", peer: \"fe80::2\", interface: a0}\n", `sessions[0].local: "fe80::1%a0" has a zone; write it as fe80::1, and the interface under its own key`},
		{"multihop between links", head + "  - {name: r1, mode: multihop, local: \"fe80::1\", peer: \"2001:2::2\"}\n", "sessions[0].local: fe80::1 is link-local, and no router forwards it (RFC 4291 2.5.6)"},
		{"one peer spelled twice", head + "  - {name: r1, local: \"2001:2::1\", peer: \"2001:2::2\", interface: a0}\n" +
			"  - {name: r2, local: \"2001:2::1\", peer: \"2001:0002:0:0::2\", interface: a0}\n", "sessions[1]: collides with the session on line 3: both are with 2001:2::2 on a0 (RFC 5881 3"},
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

// TestBFDStatusTellsWhatWasDiscarded: discarded packets are counted by reason, including those of
// the kernel's filter. Without any, nothing is printed.
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
	status.Filtered = nil // a speaker that does not report a filter
	if err := printSessions(&out, status); err != nil || !strings.HasSuffix(out.String(), "\ndiscarded: auth_digest 4, no_session 2, ttl 1\n") {
		t.Errorf("printed %q, %v", out.String(), err)
	}
	out.Reset()
	if err := printSessions(&out, control.BFDStatus{}); err != nil || strings.Contains(out.String(), "discarded") {
		t.Errorf("printed %q, %v", out.String(), err)
	}
}
