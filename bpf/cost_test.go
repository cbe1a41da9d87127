package bpf

import (
	"testing"

	"github.com/cilium/ebpf"
)

// TestVerifierCost limits the instructions that the verifier processes when it loads a
// program, since every start of a node waits for that. The limits have room for other kernels
// and for small additions. Put a loop whose body branches into bpf_loop or into a non-static
// function: the verifier checks those once, not once per iteration or caller.
func TestVerifierCost(t *testing.T) {
	needRoot(t)
	tcx := map[string]uint32{
		"from_client": 40_000, "from_backend": 30_000, "table_apply": 5_000, "table_heal": 5_000, "table_remove": 2_500, "table_check": 1_000,
		"table_assure": 5_000,
	}
	xdp := map[string]uint32{"fast_client": 20_000, "fast_backend": 20_000}
	for _, tt := range []struct {
		name   string
		read   func() (*ebpf.CollectionSpec, error)
		limits map[string]uint32
	}{{"IPv4", loadLb, tcx}, {"IPv6", loadLb6, tcx}, {"IPv4 over XDP", loadFast4, xdp}, {"IPv6 over XDP", loadFast6, xdp}} {
		spec, err := tt.read()
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := ebpf.NewCollection(spec)
		if err != nil {
			t.Fatal(err)
		}
		defer loaded.Close()
		if len(loaded.Programs) != len(tt.limits) {
			t.Errorf("%s: %d programs, want %d", tt.name, len(loaded.Programs), len(tt.limits))
		}
		for name, p := range loaded.Programs {
			info, err := p.Info()
			if err != nil {
				t.Fatal(err)
			}
			n, ok := info.VerifiedInstructions()
			t.Logf("%s: %s: %d instructions", tt.name, name, n)
			if !ok || n > tt.limits[name] {
				t.Errorf("%s: the verifier processes %d instructions of %s (known: %v), want at most %d", tt.name, n, name, ok, tt.limits[name])
			}
		}
	}
}
