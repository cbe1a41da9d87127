package bpf

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"unsafe"

	"github.com/cilium/ebpf/btf"

	"baton/impl/flow"
)

// pinRecord describes the pinned maps: their layout and size, and the worth of the table. A
// table does not depend on the services, the timeouts, the SNAT ports or their seed.
type pinRecord struct {
	Layout   uint64 // of keys and values
	MaxFlows uint32
	Families uint32 // 1: IPv4 only, 2: also IPv6

	Epoch, Witnessed, Seen uint32
	Whole                  uint32 // 1 if true
}

const recordBytes = uint32(unsafe.Sizeof(pinRecord{}))

// layoutVersion is raised when the meaning of a table's contents changes but its size does
// not: for example the bits of a word, or the hash that identifies a flow.
const layoutVersion = 1

// layoutOf returns a hash of the layouts of keys and values.
func layoutOf(specs []familySpec) uint64 {
	h := fnv.New64a()
	fmt.Fprintln(h, layoutVersion)
	for i, spec := range specs {
		for _, name := range append([]string{lbMapControl}, pinnedTables([]string{suffix4, suffix6}[i])...) {
			m := spec.programs.Maps[name]
			fmt.Fprintln(h, name, m.Type, m.KeySize, m.ValueSize, m.Flags)
			describe(h, m.Key)
			describe(h, m.Value)
		}
	}
	return h.Sum64()
}

// describe writes the members of a type with their offsets.
func describe(w io.Writer, t btf.Type) {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		for _, m := range t.Members {
			fmt.Fprint(w, m.Name, m.Offset, "{")
			describe(w, m.Type)
			fmt.Fprint(w, "}")
		}
	case *btf.Array:
		fmt.Fprint(w, t.Nelems, "*")
		describe(w, t.Type)
	case *btf.Int:
		fmt.Fprint(w, t.Size, t.Encoding)
	default:
		fmt.Fprint(w, t)
	}
}

// fits returns an error that says how the record differs from want.
func (r *pinRecord) fits(want *pinRecord) error {
	switch {
	case r.Families != want.Families:
		return fmt.Errorf("it is of %s, and the configuration is of %s", familyNames(r.Families), familyNames(want.Families))
	case r.Layout != want.Layout:
		return errors.New("its layout is that of another version of this program")
	case r.MaxFlows != want.MaxFlows:
		return fmt.Errorf("it is for %d flows, and the configuration (max_flows) for %d", r.MaxFlows, want.MaxFlows)
	}
	return nil
}

func familyNames(families uint32) string {
	if families == 1 {
		return "IPv4 alone"
	}
	return "IPv4 and IPv6"
}

func (r pinRecord) pedigree() flow.Pedigree {
	return flow.Pedigree{Epoch: r.Epoch, Witnessed: r.Witnessed, Seen: r.Seen, Whole: r.Whole != 0}
}

func (r pinRecord) with(p flow.Pedigree) pinRecord {
	r.Epoch, r.Witnessed, r.Seen, r.Whole = p.Epoch, p.Witnessed, p.Seen, 0
	if p.Whole {
		r.Whole = 1
	}
	return r
}
