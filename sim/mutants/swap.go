package mutants

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A mutant of the eBPF programs changes nothing in Go but the objects that package bpf
// embeds. Compiling them takes a second, building the suite anew several: the binary that
// the other mutants of the suite share reads them from files instead.

const (
	programSuite = "./" + programs
	// swapping is the environment variable with the folder of the objects.
	swapping = "BATON_MUTANT_PROGRAMS"
	// swapper is the file that reads them.
	swapper = programs + "/zz_programs.go"
)

// swapperText fails where an object is missing, or is one that it does not know: the original
// programs would pass for a mutant.
const swapperText = `package bpf

import (
	"os"
	"path/filepath"
)

func init() {
	folder := os.Getenv("` + swapping + `")
	if folder == "" {
		return
	}
	objects := map[string]*[]byte{
		"lb_bpfel.o": &_LbBytes, "lb6_bpfel.o": &_Lb6Bytes, "fast_bpfel.o": &_Fast4Bytes, "fast6_bpfel.o": &_Fast6Bytes,
	}
	if there, _ := filepath.Glob(filepath.Join(folder, "*.o")); len(there) != len(objects) {
		panic("sim/mutants/swap.go does not name each object of this package")
	}
	for name, object := range objects {
		built, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			panic(err)
		}
		*object = built
	}
}
`

// swapped compiles the programs of a mutant for the binary that its suite shares. It is not
// ok where the mutant changes more than their objects.
func (r *Runner) swapped(ctx context.Context, dir string, m Mutant) (b binary, ok bool, err error) {
	s := r.suites[m.Suite]
	if m.Suite != programSuite || s == nil || s.err != nil ||
		slices.ContainsFunc(m.Edits, func(e Edit) bool { return !strings.HasPrefix(e.File, programSources+"/") }) {
		return binary{}, false, nil
	}
	changed, err := m.Apply(r.Root)
	if err != nil {
		return binary{}, false, err
	}
	dir = filepath.Join(dir, "swap")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return binary{}, false, err
	}
	built, err := compile(ctx, r.Root, dir, changed)
	if err != nil {
		return binary{}, false, fmt.Errorf("mutants: %s: %w", m.Name, err)
	}
	for original, compiled := range built {
		before, errBefore := os.ReadFile(original)
		after, errAfter := os.ReadFile(compiled)
		if err := errors.Join(errBefore, errAfter); err != nil {
			return binary{}, false, err
		}
		if filepath.Ext(original) == ".go" && !bytes.Equal(before, after) {
			return binary{}, false, nil
		}
		b.programs = filepath.Dir(compiled)
	}
	return binary{path: s.path, programs: b.programs}, true, nil
}
