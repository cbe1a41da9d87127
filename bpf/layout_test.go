package bpf

import (
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
)

// The types of layout.go match types.h, for each family.
func TestLayout(t *testing.T) {
	checkLayout[ipv4](t, loadLb)
	checkLayout[ipv6](t, loadLb6)
}

func checkLayout[A addr](t *testing.T, read func() (*ebpf.CollectionSpec, error)) {
	spec, err := read()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ key, value uintptr }{
		lbMapConns:        {unsafe.Sizeof(rawTuple[A]{}), unsafe.Sizeof(rawConn[A]{})},
		lbMapReplies:      {unsafe.Sizeof(rawTuple[A]{}), unsafe.Sizeof(rawTuple[A]{})},
		lbMapServices:     {unsafe.Sizeof(rawServiceKey[A]{}), unsafe.Sizeof(rawService[A]{})},
		lbMapRanges:       {unsafe.Sizeof(rawPortKey[A]{}), unsafe.Sizeof(rawServiceKey[A]{})},
		lbMapDnatRanges:   {unsafe.Sizeof(rawPortKey[A]{}), 4},
		lbMapMembers:      {unsafe.Sizeof(rawMember[A]{}), 4},
		lbMapRefusals:     {unsafe.Sizeof(rawServiceKey[A]{}), unsafe.Sizeof(rawRefusals{})},
		lbMapFlowCounts:   {unsafe.Sizeof(rawCountKey[A]{}), unsafe.Sizeof(rawCount{})},
		lbMapDnatBackends: {unsafe.Sizeof(rawEndpoint[A]{}), 4},
		lbMapBatch:        {4, unsafe.Sizeof(rawRecord[A]{})},
	} {
		if m := spec.Maps[name]; uintptr(m.KeySize) != want.key || uintptr(m.ValueSize) != want.value {
			t.Errorf("%s: key and value of %d and %d bytes, want %v", m, m.KeySize, m.ValueSize, want)
		}
	}
	if inner := spec.Maps[lbMapBackendTables].InnerMap; uintptr(inner.ValueSize) != unsafe.Sizeof(rawBackend[A]{}) {
		t.Errorf("a backend has %d bytes, want %d", inner.ValueSize, unsafe.Sizeof(rawBackend[A]{}))
	}
	if inner := spec.Maps[lbMapLoadTables].InnerMap; uintptr(inner.ValueSize) != unsafe.Sizeof(rawLoad{}) {
		t.Errorf("a load has %d bytes, want %d", inner.ValueSize, unsafe.Sizeof(rawLoad{}))
	}
}
