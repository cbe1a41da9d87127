package ctsync

import (
	"testing"

	"baton/impl/flow"
)

// TestLastChangeIsOfThisTerm: sequence numbers restart with each term.
func TestLastChangeIsOfThisTerm(t *testing.T) {
	p := newPair(t, Config{})
	p.master(p.a, 1)
	p.fill(p.a, 0, 3)
	p.run()
	last := entryOf(2, flow.Established, 11).Original
	if seq, known := p.a.LastChange(last); seq != 3 || !known {
		t.Errorf("change %d (%v), want 3", seq, known)
	}
	if _, known := p.a.LastChange(entryOf(3, flow.Established, 11).Original); known {
		t.Error("a flow that was never opened is known")
	}
	p.demote(p.a)
	p.master(p.a, 3)
	if seq, known := p.a.LastChange(last); seq != 0 || !known {
		t.Errorf("in the next term: change %d (%v), want 0", seq, known)
	}
	p.fill(p.a, 3, 4)
	p.run()
	if seq, _ := p.a.LastChange(entryOf(3, flow.Established, 11).Original); seq != 1 {
		t.Errorf("first of the next term: change %d, want 1", seq)
	}
}
