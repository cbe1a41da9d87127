package bpf

import (
	"testing"
	"time"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// TestAnAdoptedTableHoldsNoDamage: a damaged entry cannot be restored from the table, so it is
// removed. The peer's entry can take its place, and that of an entry that vanished but left its claim.
func TestAnAdoptedTableHoldsNoDamage(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		cfg := labConfig(labService(flow.UDP, 53, dataplane.FullNAT, dataplane.Maglev, 8053))
		cfg.Pin = pinFolder(t)
		l := newLab(t, cfg)
		var entries []flow.Entry
		for i := range uint16(4) {
			e := flow.Entry{Original: toVIP(flow.UDP, 40000+i, 53), Reply: tuple(flow.UDP, backendAddr, 8053, snatAddr, 20000+i),
				State: flow.Assured, Origin: flow.Synced, Remaining: time.Minute}
			entries = append(entries, e)
		}
		altered, vanished := entries[1].Original, entries[2].Original
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(l.dp.Apply(entries))
		must(l.dp.Damage(altered, vanished))
		if a := l.restart(t, cfg); !a.Taken || a.Damaged != 1 {
			t.Errorf("adopted %+v, want the table without its damaged entry", a)
		}
		for _, e := range entries {
			_, found, err := l.dp.Lookup(e.Original)
			must(err)
			if want := e.Original != altered && e.Original != vanished; found != want {
				t.Errorf("%s is in the adopted table: %v, want %v", e.Original, found, want)
			}
		}
		must(l.dp.Heal(entries, nil)) // as for an offer
		held, err := l.dp.Examine(tuplesOf(entries))
		must(err)
		for i, h := range held {
			if !h.Found || !h.Sound {
				t.Errorf("entry %d is not written: %+v", i, h)
			}
		}
	})
}
