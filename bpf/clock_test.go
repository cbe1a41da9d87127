package bpf

import (
	"testing"

	"github.com/cilium/ebpf/asm"
)

// TestTheProgramsReadTheClockOfTheLease: only CLOCK_BOOTTIME, which includes the time in
// which the machine is suspended.
func TestTheProgramsReadTheClockOfTheLease(t *testing.T) {
	spec, err := loadLb()
	if err != nil {
		t.Fatal(err)
	}
	reads := 0
	for name, program := range spec.Programs {
		for _, ins := range program.Instructions {
			if !ins.IsBuiltinCall() {
				continue
			}
			switch called := asm.BuiltinFunc(ins.Constant); called {
			case asm.FnKtimeGetBootNs:
				reads++
			case asm.FnKtimeGetNs, asm.FnKtimeGetCoarseNs, asm.FnKtimeGetTaiNs, asm.FnJiffies64:
				t.Errorf("%s calls %v", name, called)
			}
		}
	}
	if reads == 0 {
		t.Error("no program reads the clock")
	}
}
