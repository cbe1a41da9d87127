package bfd

import (
	"testing"

	"baton/impl/fingerprint"
	"baton/impl/fingerprint/fieldtest"
)

func fullSession(t *testing.T) *Session {
	s, err := New(Config{LocalDiscr: 1, DesiredMinTxInterval: 5e7, RequiredMinRxInterval: 5e7, DetectMult: 3}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Advance(0) // its first packet waits in the outbox
	return s
}

// Every field of the session and its parts is in the fingerprint or on this list of
// exceptions; likewise for the copy.
func TestEveryFieldIsInTheFingerprint(t *testing.T) {
	fieldtest.Fingerprint(t, fullSession(t), func(s *Session, h *fingerprint.Hash) { s.Fingerprint(h) },
		"cfg", "random", "auth", "poll", "tx", "echo", "out", "stats", "drop")
}

func TestTheCopySharesNothing(t *testing.T) {
	fieldtest.Clone(t, fullSession(t), (*Session).Clone, "cfg", "auth.Auth")
}
