package ha

import "testing"

func TestRankOrder(t *testing.T) {
	base := Rank{Able: true, Epoch: 3, Witnessed: 3, Complete: true, Flows: 200, Priority: 100, ID: "lb2"}
	with := func(edit func(*Rank)) Rank {
		r := base
		edit(&r)
		return r
	}
	for _, above := range []struct {
		name string
		rank Rank
	}{
		{"a newer witnessed table beats all but ability", with(func(r *Rank) { r.Witnessed, r.Flows, r.Damped, r.Priority, r.ID = 4, 0, true, 1, "z" })},
		{"a table with more flows beats priority", with(func(r *Rank) { r.Flows, r.Damped, r.Priority, r.ID = 201, true, 1, "z" })},
		{"priority beats the id", with(func(r *Rank) { r.Priority, r.ID = 101, "z" })},
		{"the smaller id decides at last", with(func(r *Rank) { r.ID = "lb1" })},
	} {
		if above.rank.Compare(base) <= 0 || base.Compare(above.rank) >= 0 {
			t.Errorf("%s: %+v does not rank above %+v", above.name, above.rank, base)
		}
	}
	for _, below := range []struct {
		name string
		rank Rank
	}{
		{"a node that is not able ranks last", with(func(r *Rank) { r.Able, r.Witnessed, r.Priority, r.ID = false, 9, 255, "a" })},
		{"an incomplete table ranks below", with(func(r *Rank) { r.Witnessed, r.Complete, r.Flows, r.Priority, r.ID = 9, false, 999, 255, "a" })},
		{"a node that flaps is not preferred among equals", with(func(r *Rank) { r.Damped, r.ID = true, "a" })},
	} {
		if below.rank.Compare(base) >= 0 || base.Compare(below.rank) <= 0 {
			t.Errorf("%s: %+v does not rank below %+v", below.name, below.rank, base)
		}
	}
	for _, lesser := range []func(*Rank){func(r *Rank) { r.Witnessed-- }, func(r *Rank) { r.Complete = false }, func(r *Rank) { r.Flows-- }} {
		if alone := with(func(r *Rank) { r.Epoch = 99; lesser(r) }); alone.Compare(base) >= 0 {
			t.Errorf("an epoch that was raised in isolation outranks a better table: %+v", alone)
		}
	}
	if later := with(func(r *Rank) { r.Epoch, r.Damped, r.Priority, r.ID = 4, true, 1, "z" }); later.Compare(base) <= 0 {
		t.Error("of two tables of equal worth the one that served later does not rank above")
	}
	for _, witnessed := range []uint32{0, 1} {
		whole := with(func(r *Rank) { r.Witnessed, r.Flows = witnessed, 0 })
		if part := with(func(r *Rank) { r.Complete, r.Flows, r.Priority = false, 999, 255 }); whole.Compare(part) <= 0 || part.Compare(whole) >= 0 {
			t.Errorf("a part of a table ranks above a complete one that was witnessed in epoch %d", witnessed)
		}
	}
	if base.Compare(base) != 0 {
		t.Error("a rank differs from itself")
	}
}

// The order of version 1 is the one that those nodes compute.
func TestRankOrderOfVersion1(t *testing.T) {
	base := Rank{Able: true, Epoch: 3, Complete: true, Priority: 100, ID: "lb2"}
	for _, above := range []Rank{
		{Able: true, Epoch: 4, Priority: 1, ID: "z"},
		{Able: true, Epoch: 3, Complete: true, Priority: 101, ID: "z"},
		{Able: true, Epoch: 3, Complete: true, Priority: 100, ID: "lb1"},
	} {
		if above.CompareVersion1(base) <= 0 || base.CompareVersion1(above) >= 0 {
			t.Errorf("%+v does not rank above %+v", above, base)
		}
	}
	if unable := (Rank{Epoch: 9, Complete: true, Priority: 255, ID: "a"}); unable.CompareVersion1(base) >= 0 {
		t.Error("a node that is not able does not rank last")
	}
}

// TestSupersedes: a table supersedes another if it has what that lacks, and if the other has not served since.
func TestSupersedes(t *testing.T) {
	whole := Rank{Epoch: 5, Witnessed: 4, Complete: true, Flows: 10}
	with := func(edit func(*Rank)) Rank {
		r := whole
		edit(&r)
		return r
	}
	part := with(func(r *Rank) { r.Complete = false })
	for _, tt := range []struct {
		rule string
		r, s Rank
		want bool
	}{
		{"a longer history", with(func(r *Rank) { r.Witnessed = 5 }), whole, true},
		{"an equal one", whole, whole, false},
		{"an equal one with more flows, both complete", with(func(r *Rank) { r.Flows = 11 }), whole, false},
		{"a shorter one", with(func(r *Rank) { r.Witnessed = 3 }), whole, false},
		{"complete over a part", whole, part, true},
		{"a part over complete", part, whole, false},
		{"a larger part", with(func(r *Rank) { r.Complete, r.Flows = false, 11 }), part, true},
		{"an equal part", part, part, false},
		{"a larger part over complete", with(func(r *Rank) { r.Complete, r.Flows = false, 11 }), whole, false},
		{"a smaller part", with(func(r *Rank) { r.Complete, r.Flows = false, 9 }), part, false},
		{"a longer history, and the other has served since", with(func(r *Rank) { r.Witnessed, r.Epoch = 5, 4 }), whole, false},
		{"a longer history, and this one has served since", with(func(r *Rank) { r.Witnessed, r.Epoch = 5, 6 }), whole, true},
		{"a larger part, and the other has served since", with(func(r *Rank) { r.Complete, r.Flows, r.Epoch = false, 11, 4 }), part, false},
	} {
		if got := tt.r.Supersedes(tt.s); got != tt.want {
			t.Errorf("%s supersedes: %v, want %v", tt.rule, got, tt.want)
		}
	}
}
