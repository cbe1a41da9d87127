package bpf

import (
	"testing"

	"github.com/cilium/ebpf/asm"
)

// deletions are the maps that a program deletes from, in the order of its instructions.
func deletions(program asm.Instructions) []string {
	var maps []string
	first := "" // the map in the register of the first argument
	for _, in := range program {
		switch {
		case in.IsLoadFromMap() && in.Dst == asm.R1:
			first = in.Reference()
		case in.IsBuiltinCall() && in.Constant == int64(asm.FnMapDeleteElem):
			maps = append(maps, first)
		}
	}
	return maps
}

// While an entry exists, its flow cannot be opened anew, so its claim must be removed first. A
// race would show the wrong order once in a million removals; the program's instructions show
// it at once.
func TestAClaimIsReleasedBeforeItsEntryGoes(t *testing.T) {
	spec, err := loadLb()
	if err != nil {
		t.Fatal(err)
	}
	removals := 0
	for name, program := range spec.Programs {
		before := ""
		for _, m := range deletions(program.Instructions) {
			if m == "conns" {
				if removals++; before != "replies" {
					t.Errorf("%s deletes an entry after a deletion from %q, want its claim gone first", name, before)
				}
			}
			before = m
		}
	}
	if removals < 2 {
		t.Errorf("%d deletions of entries found in the programs, want those of table_apply and table_remove at least", removals)
	}
}
