package bpf

import (
	"testing"

	"github.com/cilium/ebpf"
)

// TestVerifierCost holds the instructions that the verifier processes when a program is
// loaded: every start of a node waits for them. The limits have room for other kernels and
// for small additions. A loop whose body branches belongs into bpf_loop, or into a function
// that is not static: the verifier checks those once, not once for each turn or each caller.
func TestVerifierCost(t *testing.T) {
	needRoot(t)
	limits := map[string]uint32{
		"from_client": 100_000, "from_backend": 75_000, "table_apply": 5_000, "table_heal": 5_000, "table_remove": 2_500, "table_check": 1_000,
	}
	for family, read := range map[string]func() (*ebpf.CollectionSpec, error){"IPv4": loadLb, "IPv6": loadLb6} {
		spec, err := read()
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := ebpf.NewCollection(spec)
		if err != nil {
			t.Fatal(err)
		}
		defer loaded.Close()
		if len(loaded.Programs) != len(limits) {
			t.Errorf("%s: %d programs, want %d", family, len(loaded.Programs), len(limits))
		}
		for name, p := range loaded.Programs {
			info, err := p.Info()
			if err != nil {
				t.Fatal(err)
			}
			if n, ok := info.VerifiedInstructions(); !ok || n > limits[name] {
				t.Errorf("%s: the verifier processes %d instructions of %s (known: %v), want at most %d", family, n, name, ok, limits[name])
			}
		}
	}
}
