package bfd

import (
	"testing"
	"time"

	"baton/impl/clock"
)

// TestASessionIsNotUpWithItself: an attacker who reflects a session's packets can bring
// it Up if both directions share a key, but not if each has its own.
func TestASessionIsNotUpWithItself(t *testing.T) {
	secret := func(id uint8) Key { return Key{ID: id, Secret: []byte{id, 1, 2, 3}} }
	mine := secret(1)
	mine.SendOnly = true
	for _, c := range []struct {
		name string
		keys []Key
		want State
	}{
		{"one key for both directions", []Key{secret(1)}, Up},
		{"a key for each", []Key{mine, secret(2)}, Down},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := New(Config{
				LocalDiscr: 7, DesiredMinTxInterval: 50 * time.Millisecond, RequiredMinRxInterval: 50 * time.Millisecond, DetectMult: 3,
				Auth: Auth{Type: AuthMeticulousKeyedSHA1, Keys: c.keys, SendKey: 1},
			}, 0)
			if err != nil {
				t.Fatal(err)
			}
			sent := 0
			for now := clock.Instant(0); now < clock.Instant(10*time.Second); now = now.Add(10 * time.Millisecond) {
				s.Advance(now)
				for _, packet := range s.Ready().Packets {
					sent++
					_ = s.Receive(now, append([]byte(nil), packet...), TransmitTTL)
				}
			}
			if s.State() != c.want || sent < 5 {
				t.Errorf("%v after %d packets were sent back, want %v", s.State(), sent, c.want)
			}
			if dropped := s.Stats().Drops[DropAuthKeyID]; (dropped == uint64(sent)) != (c.want == Down) {
				t.Errorf("%d of %d dropped for their key", dropped, sent)
			}
		})
	}
}
