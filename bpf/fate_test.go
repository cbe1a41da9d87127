package bpf

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// fate describes the outcome of a frame, and returns the frame if it still exists: "pass", "drop miss", "forward <tuple>",
// "arp-reply <address> is-at <mac>". It checks the checksums of forwarded frames.
func fate(t rapid.TB, s subject, link string, frame []byte) (string, []byte) {
	t.Helper()
	before := counters(t, s)
	verdict, out := s.packet(link, frame)
	after := counters(t, s)
	switch verdict {
	case model.Pass:
		if !slices.Equal(frame, out) {
			t.Errorf("a frame for the host was changed:\n%x\n%x", frame, out)
		}
		return "pass", out
	case model.Drop:
		for reason := range dataplane.DropKinds {
			if after.Dropped[reason] > before.Dropped[reason] {
				return "drop " + reason.String(), nil
			}
		}
		if after.Deferred > before.Deferred {
			return "defer", nil
		}
		return "drop uncounted", nil
	case model.Relay:
		return relayFate(t, frame, out, after.Relayed-before.Relayed), out
	case model.Defer:
		return "defer", nil
	}
	if after.ARPReplies > before.ARPReplies && isIPv6(out) {
		return advertisementFate(t, out), out
	}
	if after.ARPReplies > before.ARPReplies {
		return fmt.Sprintf("arp-reply %s is-at %s", ipv4At(out[28:]), net.HardwareAddr(out[22:28])), out
	}
	if inner := unpacked(t, out); inner != nil {
		src, dst := ends(out)
		return fmt.Sprintf("tunnel %s by %s>%s", leavingFate(t, before, after, frame, inner), src, dst), out
	}
	return leavingFate(t, before, after, frame, out), out
}

// leavingFate describes a packet that leaves, without an outer header.
func leavingFate(t rapid.TB, before, after dataplane.Counters, frame, out []byte) string {
	if err := checkSums(out); err != nil && checkSums(frame) == nil {
		t.Errorf("forwarded frame: %v\nin  %x\nout %x", err, frame, out)
	}
	if _, offset := fragmentOf(out); offset > 0 {
		src, dst := ends(out)
		return fmt.Sprintf("forward fragment %s>%s id %d", src, dst, idOf(out))
	}
	if proto := partsOf(out).proto; proto == icmpProto && !isIPv6(out) || proto == icmpv6Proto && isIPv6(out) {
		return icmpFate(before, after, out)
	}
	if after.Dropped[dataplane.DropChallenged] > before.Dropped[dataplane.DropChallenged] {
		return "refuse challenged: " + challengeFate(t, frame, out)
	}
	return "forward " + tupleOf(out).String()
}

// icmpFate describes an ICMP message that leaves: "echo-reply <from>><to>", "forward icmp
// <type>/<code> <from>><to> about <tuple>", or, of one that tells the sender of a packet
// that it was dropped, "refuse <reason>: icmp ...".
func icmpFate(before, after dataplane.Counters, out []byte) string {
	message := out[partsOf(out).l4:]
	src, dst := ends(out)
	ends := fmt.Sprintf("%s>%s", src, dst)
	if after.EchoReplies > before.EchoReplies {
		return "echo-reply " + ends
	}
	said := fmt.Sprintf("icmp %d/%d %s about %s", message[0], message[1], ends, tupleOf(append(slices.Clone(out[:14]), message[8:]...)))
	if after.ICMPErrors == before.ICMPErrors {
		return "forward " + said
	}
	for reason := range dataplane.DropKinds {
		if after.Dropped[reason] > before.Dropped[reason] {
			return fmt.Sprintf("refuse %s: %s mtu %d", reason, said, binary.BigEndian.Uint16(message[6:]))
		}
	}
	return "refuse uncounted"
}

func counters(t rapid.TB, s dataplane.Dataplane) dataplane.Counters {
	t.Helper()
	c, err := s.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refused reads the refused flows by service.
func refused(t rapid.TB, s dataplane.Dataplane) map[flow.Service]dataplane.Refusals {
	t.Helper()
	r, err := s.Refused()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// table describes the entries, one a line, in order.
func table(t rapid.TB, s dataplane.Dataplane) []string {
	t.Helper()
	var out []string
	err := s.Dump(func(e flow.Entry) bool { out = append(out, entryLine(e)); return true })
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func entryLine(e flow.Entry) string {
	return fmt.Sprintf("%s reply %s %s %s %s", e.Original, strings.TrimPrefix(e.Reply.String(), e.Reply.Proto.String()+" "),
		e.State, e.Origin, e.Remaining)
}

// events describes the pending flow events.
func events(t rapid.TB, s dataplane.Dataplane) []string {
	t.Helper()
	var out []string
	_, err := s.Poll(dataplane.AllPending, func(e flow.Event) { out = append(out, entryLine(e.Entry)) })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checkClaims checks that both directions of every flow exist, and nothing else.
func checkClaims(t rapid.TB, s subject) {
	t.Helper()
	claims, entries := s.claims(), 0
	err := s.Dump(func(e flow.Entry) bool {
		if e.Reply.Unclaimed() {
			return true
		}
		entries++
		if owner, ok := claims[e.Reply]; !ok || owner != e.Original {
			t.Errorf("entry %s: its reply tuple %s is claimed by %v", e.Original, e.Reply, owner)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(claims) != entries {
		t.Errorf("%d reply tuples are claimed by %d entries", len(claims), entries)
	}
}
