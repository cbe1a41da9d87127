package bfd

import "testing"

// TestRFC5880_6_8_6_StateMachine covers the whole state machine: every local state
// with every received one.
//
// Conformance: RFC 5880 6.8.6/1
func TestRFC5880_6_8_6_StateMachine(t *testing.T) {
	for _, c := range []struct {
		local, received, want State
		diag                  Diag
	}{
		{AdminDown, AdminDown, AdminDown, DiagNone},
		{AdminDown, Down, AdminDown, DiagNone},
		{AdminDown, Init, AdminDown, DiagNone},
		{AdminDown, Up, AdminDown, DiagNone},
		{Down, AdminDown, Down, DiagNone},
		{Down, Down, Init, DiagNone},
		{Down, Init, Up, DiagNone},
		{Down, Up, Down, DiagNone},
		{Init, AdminDown, Down, DiagNeighborDown},
		{Init, Down, Init, DiagNone},
		{Init, Init, Up, DiagNone},
		{Init, Up, Up, DiagNone},
		{Up, AdminDown, Down, DiagNeighborDown},
		{Up, Down, Down, DiagNeighborDown},
		{Up, Init, Up, DiagNone},
		{Up, Up, Up, DiagNone},
	} {
		if got, diag := next(c.local, c.received); got != c.want || diag != c.diag {
			t.Errorf("%v receives %v: %v (%v), want %v (%v)", c.local, c.received, got, diag, c.want, c.diag)
		}
	}
}

// TestNames pins names that appear in traces and metrics.
func TestNames(t *testing.T) {
	for state, want := range map[State]string{AdminDown: "AdminDown", Down: "Down", Init: "Init", Up: "Up", 7: "State(7)"} {
		if state.String() != want {
			t.Errorf("State %d is called %q, want %q", uint8(state), state, want)
		}
	}
	for diag, want := range map[Diag]string{
		DiagNone: "No Diagnostic", DiagDetectionTimeExpired: "Control Detection Time Expired",
		DiagReverseConcatenatedPathDown: "Reverse Concatenated Path Down", 31: "Diag(31)",
	} {
		if diag.String() != want {
			t.Errorf("Diag %d is called %q, want %q", uint8(diag), diag, want)
		}
	}
	seen := map[string]bool{}
	for d := Drop(0); d < dropKinds; d++ {
		if key := d.String(); key == "" || seen[key] {
			t.Errorf("Drop %d has the key %q, empty or taken", uint8(d), key)
		} else {
			seen[key] = true
		}
	}
}

// TestAWithdrawnPeerIsForgotten: the answer to AdminDown names no session if ForgetsWithdrawn is set, so that a process that is
// started next accepts it. Without it bfd.RemoteDiscr lasts for a Detection Time (RFC 5880 section 6.8.1).
func TestAWithdrawnPeerIsForgotten(t *testing.T) {
	for forgets, want := range map[bool]uint32{true: 0, false: peerDiscr} {
		r := newRig(t, func(c *Config) { c.ForgetsWithdrawn = forgets })
		r.up()
		r.take()
		r.receive(peerPacket(AdminDown))
		r.wantState(Down, DiagNeighborDown)
		if r.s.RemoteDiscr() != want || r.s.Heard() != (want != 0) || r.s.RemoteState() != AdminDown {
			t.Errorf("ForgetsWithdrawn %v: bfd.RemoteDiscr %#x, heard %v, state %v", forgets, r.s.RemoteDiscr(), r.s.Heard(), r.s.RemoteState())
		}
		for _, p := range r.take() {
			if p.YourDiscr != want {
				t.Errorf("ForgetsWithdrawn %v: Your Discriminator %#x in answer to AdminDown", forgets, p.YourDiscr)
			}
		}
		r.receive(peerPacket(Down))
		r.wantState(Init, DiagNeighborDown)
	}
}
