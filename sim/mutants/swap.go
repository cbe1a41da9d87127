package mutants

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A mutant of the eBPF programs changes only the objects that package bpf embeds. Compiling
// them takes a second, but building the suite again takes several. So the shared binary of
// the suite reads the objects from files instead.

const (
	programSuite = "./" + programs
	// swapping is the environment variable with the folder of the objects.
	swapping = "BATON_MUTANT_PROGRAMS"
	// swapper is the file that reads them.
	swapper = programs + "/zz_programs.go"
)

// swapperText panics if an object is missing or unknown: the original program would run in place of
// the mutant.
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

// loadedBy returns a filter for the programs that a test loads, judged by the names of the test and
// the mutant: those of one IP version, with the XDP ones only for a test of XDP.
func loadedBy(test, mutant string) func(stem string) bool {
	family := strings.Contains(test, "IPv6") || strings.Contains(mutant, "ipv6")
	return func(stem string) bool {
		return strings.HasSuffix(stem, "6") == family && (!strings.HasPrefix(stem, "fast") || strings.Contains(test, "XDP"))
	}
}

// swapped compiles some programs of a mutant for the shared binary of its suite. ok is false if
// the mutant changes more than their objects.
func (r *Runner) swapped(ctx context.Context, spent *meter, dir string, m Mutant, some func(stem string) bool) (b binary, ok bool, err error) {
	if m.Suite != programSuite || r.suites[m.Suite] == "" ||
		slices.ContainsFunc(m.Edits, func(e Edit) bool { return !strings.HasPrefix(e.File, programSources+"/") }) {
		return binary{}, false, nil
	}
	changed, err := m.Apply(r.Root)
	if err != nil {
		return binary{}, false, err
	}
	if dir, err = os.MkdirTemp(dir, "swap-"); err != nil {
		return binary{}, false, err
	}
	built, err := compiler{r.Root, r.tool, some}.compile(ctx, spent, dir, changed)
	if err != nil {
		return binary{}, false, fmt.Errorf("mutants: %s: %w", m.Name, err)
	}
	originals, err := filepath.Glob(filepath.Join(r.Root, programs, "*.o"))
	if err != nil {
		return binary{}, false, err
	}
	swap := filepath.Join(dir, "programs")
	err = os.Mkdir(swap, 0o755)
	for _, original := range originals {
		object := cmp.Or(built[original], original)
		err = errors.Join(err, os.Symlink(object, filepath.Join(swap, filepath.Base(original))))
	}
	for original, compiled := range built {
		before, errBefore := os.ReadFile(original)
		after, errAfter := os.ReadFile(compiled)
		if err = errors.Join(err, errBefore, errAfter); filepath.Ext(original) == ".go" && !bytes.Equal(before, after) {
			return binary{}, false, err
		}
	}
	return binary{path: r.suites[m.Suite], programs: swap}, true, err
}
