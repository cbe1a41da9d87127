package config

import (
	"errors"
	"strings"
	"testing"
)

// TestMistakesOfASpeaker pins the whole message of each mistake in a session.
func TestMistakesOfASpeaker(t *testing.T) {
	const (
		near   = "{name: r1, local: 198.18.9.1, peer: 198.18.9.2, interface: a0"
		far    = "{name: r1, mode: multihop, local: 198.18.9.1, peer: 198.18.7.2"
		alone  = "{name: r1, mode: unaffiliated-echo, local: 198.18.9.1, peer: 198.18.9.2, interface: a0"
		local  = `{name: r1, local: "fe80::1", peer: "fe80::2", interface: a0`
		range1 = "is out of range; use 1ms to 1h11m34.967295s (RFC 5880 4.1)"
	)
	for _, c := range []struct{ rule, session, text string }{
		{"no name", `{name: "", local: 198.18.9.1, peer: 198.18.9.2, interface: a0}`, `.name: "" is not a name; use one word, such as r1`},
		{"two words", `{name: "r 1", local: 198.18.9.1, peer: 198.18.9.2, interface: a0}`, `.name: "r 1" is not a name; use one word, such as r1`},
		{"a group as peer", "{name: r1, local: 198.18.9.1, peer: 224.0.0.18, interface: a0}", ".peer: 224.0.0.18 is not an address of a host; use a unicast address"},
		{"a group as local address", "{name: r1, local: 224.0.0.18, peer: 198.18.9.2, interface: a0}", ".local: 224.0.0.18 is not an address of a host; use a unicast address"},
		{"two families", `{name: r1, local: 198.18.9.1, peer: "2001:2::2", interface: a0}`, ".peer: 2001:2::2 is of another protocol than 198.18.9.1; one session has one (RFC 5881 2)"},
		{"a session with itself", "{name: r1, local: 198.18.9.1, peer: 198.18.9.1, interface: a0}", ".peer: 198.18.9.1 is the local address; give the peer's"},
		{"multihop by an interface", far + ", interface: a0}", ".interface: is of no use to multihop, which is told by its addresses (RFC 5883 4.1); leave it out"},
		{"multihop from a link-local address", `{name: r1, mode: multihop, local: "fe80::1", peer: "2001:2::2"}`, ".local: fe80::1 is link-local, and no router forwards it (RFC 4291 2.5.6); give a global address, or an interface and no mode"},
		{"multihop to a link-local address", `{name: r1, mode: multihop, local: "2001:2::2", peer: "fe80::1"}`, ".peer: fe80::1 is link-local, and no router forwards it (RFC 4291 2.5.6); give a global address, or an interface and no mode"},
		{"multihop from any distance", far + ", min_ttl: 0}", ".min_ttl: 0 is out of range; use 1, which any packet has, to 255, which no router may lower (RFC 5082 3)"},
		{"a single hop over a router", near + ", min_ttl: 254}", ".min_ttl: is only used with multihop; a single hop requires 255 (RFC 5881 5)"},
		{"a single hop on any link", "{name: r1, local: 198.18.9.1, peer: 198.18.9.2}", ": needs the interface that it is bound to (RFC 5881 3); add interface, or mode: multihop"},
		{"a single hop on no link", "{name: r1, local: 198.18.9.1, peer: 198.18.9.2, interface: a/0}", `.interface: "a/0" is not an interface name; use 1 to 15 characters without space, slash or colon`},
		{"packets without a pause", near + ", tx: 1us}", ".tx: 1µs " + range1},
		{"the peer's packets without a pause", near + ", rx: 1us}", ".rx: 1µs " + range1},
		{"no packet may be missed", near + ", mult: 0}", ".mult: 0 is out of range; use 1 to 255 (RFC 5880 6.8.1)"},
		{"authentication without a key", near + ", auth: {type: keyed-sha1, keys: []}}", ".auth.keys: is empty; add at least one key: id and secret (RFC 5880 6.7)"},

		{"echo over routers", far + ", echo: {tx: 50ms}}", ".echo: is of no use to multihop: echo packets cross only one hop (RFC 5883 3); leave it out"},
		{"an echo that does nothing", near + ", echo: {source: 198.18.77.1}}", ".echo: neither sends echo packets nor returns them; add tx, rx or both"},
		{"echo packets without a pause", near + ", echo: {tx: 1us, source: 198.18.77.1}}", ".echo.tx: 1µs " + range1},
		{"the peer's echo packets without a pause", near + ", echo: {rx: 1us}}", ".echo.rx: 1µs " + range1},
		{"a source of nothing", near + ", echo: {rx: 50ms, source: 198.18.77.1}}", ".echo.source: is only used to send echo packets; add tx, or leave it out"},
		{"an unaffiliated session that hears its peer", alone + ", rx: 50ms, echo: {source: 198.18.77.1}}", ".rx: is of no use to an unaffiliated session, whose peer sends nothing of its own (RFC 9747 2); leave it out"},
		{"an unaffiliated session that waits for its peer", alone + ", passive: true, echo: {source: 198.18.77.1}}", ".passive: is of no use to an unaffiliated session, whose peer sends nothing of its own (RFC 9747 2); leave it out"},
		{"an unaffiliated session on demand", alone + ", demand: true, echo: {source: 198.18.77.1}}", ".demand: is of no use to an unaffiliated session, whose peer sends nothing of its own (RFC 9747 2); leave it out"},
		{"an unaffiliated session that returns echo packets", alone + ", echo: {rx: 50ms, source: 198.18.77.1}}", ".echo.rx: is of no use to an unaffiliated session, whose peer sends nothing of its own (RFC 9747 2); leave it out"},
		{"an unaffiliated session with two intervals", alone + ", echo: {tx: 50ms, source: 198.18.77.1}}", ".echo.tx: is the session's own tx where it is unaffiliated, as it sends nothing else (RFC 9747 2); leave it out"},
		{"echo packets that nobody forwards back", local + ", echo: {tx: 50ms}}", ".local: fe80::1 is link-local, which no system forwards to (RFC 4291 2.5.6), so no echo packet would come back; use another address"},
		{"echo packets of no address", near + ", echo: {tx: 50ms}}", ": needs an address to send echo packets from that is not of a0's subnets (RFC 5881 4); add echo: {source: ...}"},
		{"unaffiliated echo packets of no address", alone + "}", ": needs an address to send echo packets from that is not of a0's subnets (RFC 5881 4); add echo: {source: ...}"},
		{"echo packets of a group", near + ", echo: {tx: 50ms, source: 224.0.0.18}}", ".echo.source: 224.0.0.18 is not an address of a host; use a unicast address"},
		{"echo packets of another family", near + `, echo: {tx: 50ms, source: "2001:2::7"}}`, ".echo.source: 2001:2::7 is of another protocol than 198.18.9.1; one session has one (RFC 5881 2)"},
		{"echo packets of the local address", near + ", echo: {tx: 50ms, source: 198.18.9.1}}", ".echo.source: 198.18.9.1 is of the link's subnet: the peer could answer with redirects (RFC 5881 4); use another address of this system"},
		{"echo packets of the peer's address", near + ", echo: {tx: 50ms, source: 198.18.9.2}}", ".echo.source: 198.18.9.2 is of the link's subnet: the peer could answer with redirects (RFC 5881 4); use another address of this system"},
		{"echo packets of a link-local address", `{name: r1, local: "2001:2::1", peer: "2001:2::2", interface: a0, echo: {tx: 50ms, source: "fe80::1"}}`, ".echo.source: fe80::1 is link-local: the peer could answer with redirects (RFC 5881 4); use another address of this system"},
	} {
		refused(t, c.rule, "control: bfd.sock\nsessions:\n  - "+c.session+"\n", "bfd.yaml:3: sessions[0]"+c.text)
	}
	refused(t, "no session", "control: bfd.sock\nsessions: []\n", "bfd.yaml:2: sessions: is empty; add at least one session: name, peer, local and interface")
	refused(t, "no control socket", "control: \"\"\nsessions:\n  - "+near+"}\n", "bfd.yaml:1: control: is empty; give the path of the control socket, such as /run/baton/bfd.sock")
	refused(t, "one name twice", "control: bfd.sock\nsessions:\n  - "+near+"}\n  - "+strings.Replace(near, "9.2", "9.3", 1)+"}\n",
		`bfd.yaml:4: sessions[1].name: "r1" names the session on line 3 too; sessions need names of their own`)
}

func refused(t *testing.T, rule, text, want string) {
	t.Helper()
	_, err := parseSpeaker("/etc/bfd.yaml", []byte(text))
	var bad *Error
	if err == nil || strings.TrimPrefix(err.Error(), "/etc/") != want || !errors.As(err, &bad) {
		t.Errorf("%s:\ngot  %v\nwant %s", rule, err, want)
	}
}
