package bpf

import (
	"testing"

	"baton/impl/clock"
	"baton/impl/dataplane/faulty"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// TestADamagedTunnelAcrossFamilies: an entry with a damaged reply tuple no longer looks direct, and its
// backend's address is of the other family. Its packets are misdirected until a scrub, without any
// other effect.
func TestADamagedTunnelAcrossFamilies(t *testing.T) {
	acrossFamilies(t)
	bothFamilies(t, func(t *testing.T) {
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			whole, damaged := toVIP(flow.UDP, 40000, tunnelPort), toVIP(flow.UDP, 40001, tunnelPort)
			for _, o := range []flow.Tuple{whole, damaged} {
				fate(t, s, "client0", frameTo(clientMAC, o, 0, payload))
			}
			if err := s.(faulty.Damager).Damage(damaged, whole); err != nil {
				t.Fatal(err)
			}
			sent := frameTo(clientMAC, damaged, 0, payload)
			if verdict, frame := s.packet("client0", sent); verdict != model.Forward || len(frame) != len(sent) {
				t.Errorf("%s %x, want it to be translated", verdict, frame)
			}
		})
	})
}
