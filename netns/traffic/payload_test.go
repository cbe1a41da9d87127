package traffic

import (
	"testing"

	"pgregory.net/rapid"
)

// TestPayloadIsKnownToBothEnds: in whatever pieces the bytes arrive, the receiver verifies
// each one; a changed, missing or foreign byte is detected, and so is a wrong report.
func TestPayloadIsKnownToBothEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := transferID{run: rapid.Uint64().Draw(t, "run"), flow: rapid.Uint32().Draw(t, "flow"), seq: rapid.Uint64Range(0, 1000).Draw(t, "seq")}
		size := rapid.IntRange(9, 5000).Draw(t, "size")
		sent := make([]byte, size)
		from, to := payload{transferID: id}, payload{transferID: id}
		for at := 0; at < size; {
			n := rapid.IntRange(1, size-at).Draw(t, "piece")
			from.next(sent[at : at+n])
			at += n
		}
		cut := rapid.IntRange(0, size).Draw(t, "cut")
		var report [reportLen]byte
		from.putReport(report[:], "backend1")
		if !to.take(sent[:cut]) || !to.take(sent[cut:]) || to.checkReport(report[:]) != nil {
			t.Fatal("what was sent is not what was due")
		}
		flipped := rapid.IntRange(0, size-1).Draw(t, "flipped")
		sent[flipped] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		damaged, other := payload{transferID: id}, payload{transferID: transferID{run: id.run, flow: id.flow, seq: id.seq + 1}}
		if damaged.take(sent) || damaged.checkReport(report[:]) == nil {
			t.Fatal("a changed bit is not seen")
		}
		sent[flipped] ^= 1
		if other.take(sent) || other.checkReport(report[:]) == nil {
			t.Fatal("the bytes of another transfer are not seen")
		}
		short := payload{transferID: id}
		short.take(sent[:size-1])
		if short.checkReport(report[:]) == nil {
			t.Fatal("a missing byte is not seen")
		}
	})
}

// TestAsksAreTold: a request decodes to what was encoded, and an echo's request is not one.
func TestAsksAreTold(t *testing.T) {
	want := ask{transferID: transferID{run: 7, flow: 3, seq: 9}, size: 1 << 30, up: true}
	var b [requestLen]byte
	want.put(b[:])
	if got, ok := parseAsk(b[:]); !ok || got != want {
		t.Errorf("%+v, %v", got, ok)
	}
	b[40]++
	if _, ok := parseAsk(b[:]); ok {
		t.Error("a damaged one is taken")
	}
	putRequest(b[:], stamp{run: 7, flow: 3, seq: 9})
	if _, ok := parseAsk(b[:]); ok {
		t.Error("a request for an echo asks for a transfer")
	}
}
