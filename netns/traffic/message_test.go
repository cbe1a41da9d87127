package traffic

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"baton/impl/clock"
)

// answerTo returns the answer of a correct backend.
func answerTo(s stamp, backend string) []byte {
	b := make([]byte, answerLen)
	putRequest(b, s)
	putAnswer(b, backend)
	return b
}

func TestAnswerCarriesTheRequestAndTheBackend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := stamp{run: rapid.Uint64().Draw(t, "run"), flow: rapid.Uint32().Draw(t, "flow"),
			seq: rapid.Uint64().Draw(t, "seq"), intended: clock.Instant(rapid.Int64().Draw(t, "intended"))}
		name := rapid.StringMatching(`[a-z0-9-]{1,28}`).Draw(t, "backend")
		got, backend, err := checkAnswer(answerTo(want, name), want.run, want.flow)
		if err != nil || got != want || string(backend) != name {
			t.Fatalf("got %+v from %q, %v; want %+v from %q", got, backend, err, want, name)
		}
	})
}

// A CRC-32C detects every burst of up to 32 bits, so every flipped bit.
func TestEveryFlippedBitIsFound(t *testing.T) {
	good := answerTo(stamp{run: 7, flow: 3, seq: 9, intended: 1234}, "backend1")
	for i := range len(good) * 8 {
		bad := append([]byte(nil), good...)
		bad[i/8] ^= 1 << (i % 8)
		if _, _, err := checkAnswer(bad, 7, 3); err == nil {
			t.Errorf("bit %d flipped after the answer was made: not found", i)
		}
	}
	for i := range requestLen * 8 {
		bad := append([]byte(nil), good...)
		bad[i/8] ^= 1 << (i % 8)
		putAnswer(bad, "backend1")
		if _, _, err := checkAnswer(bad, 7, 3); err == nil {
			t.Errorf("bit %d flipped before the backend answered: not found", i)
		}
	}
}

func TestAnswersOfOthersAreFound(t *testing.T) {
	for _, other := range []stamp{{run: 8, flow: 3}, {run: 7, flow: 4}} {
		if _, _, err := checkAnswer(answerTo(other, "backend1"), 7, 3); !errors.Is(err, errForeign) {
			t.Errorf("answer to %+v: %v, want %v", other, err, errForeign)
		}
	}
	other := answerTo(stamp{run: 7, flow: 3}, "backend1")
	copy(other, "HTTP")
	if _, _, err := checkAnswer(other, 7, 3); err == nil {
		t.Error("answer with another magic: accepted")
	}
}

// Any accepted message is rejected after one flipped bit.
func FuzzParseAnswer(f *testing.F) {
	f.Add(answerTo(stamp{run: 1, flow: 2, seq: 3, intended: 4}, "backend1"), uint16(0))
	f.Add([]byte(magic), uint16(7))
	f.Fuzz(func(t *testing.T, b []byte, bit uint16) {
		if _, _, err := parseAnswer(b); err != nil {
			return
		}
		i := int(bit) % (len(b) * 8)
		b[i/8] ^= 1 << (i % 8)
		if _, _, err := parseAnswer(b); err == nil {
			t.Fatalf("accepted with and without bit %d: %x", i, b)
		}
	})
}

func BenchmarkAnswerCheck(b *testing.B) {
	answer := answerTo(stamp{run: 7, flow: 3, seq: 9, intended: 1234}, "backend1")
	b.ReportAllocs()
	b.SetBytes(answerLen)
	for b.Loop() {
		if _, _, err := checkAnswer(answer, 7, 3); err != nil {
			b.Fatal(err)
		}
	}
}

// A foreign echo is the generator's own fault only if the flow's latest message named that flow.
func TestAnEchoOfWhatTheFlowSentIsTheGenerators(t *testing.T) {
	got, _, err := checkAnswer(answerTo(stamp{run: 7, flow: 4}, "backend1"), 7, 3)
	if err := blame(err, got, 3, 4); !errors.Is(err, errMixed) {
		t.Errorf("the flow sent in the name of flow 4: %v", err)
	}
	if err := blame(err, got, 3, 3); !errors.Is(err, errForeign) {
		t.Errorf("the flow sent in its own name: %v", err)
	}
	if err := blame(err, got, 3, 5); !errors.Is(err, errForeign) {
		t.Errorf("an echo of flow 4 at a flow that sent in the name of flow 5: %v", err)
	}
	got, _, err = checkAnswer(answerTo(stamp{run: 8, flow: 3}, "backend1"), 7, 3)
	if err := blame(err, got, 3, 3); !errors.Is(err, errForeign) {
		t.Errorf("an echo of another run: %v", err)
	}
	if err := blame(nil, got, 3, 4); err != nil {
		t.Errorf("its own echo: %v", err)
	}
}
