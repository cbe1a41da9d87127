package bpf

import (
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// mapping is the memory of an array map, shared with the programs. A write of one aligned
// word is atomic for them, which map system calls do not guarantee, and it needs no system
// call.
type mapping[T any] struct {
	bytes  []byte
	values []T
}

func mapMemory[T any](m *ebpf.Map) (mapping[T], error) {
	var value T
	if size := unsafe.Sizeof(value); uintptr(m.ValueSize()) != size || size%8 != 0 {
		return mapping[T]{}, fmt.Errorf("bpf: map memory of %s: value of %d bytes, not %d", m, m.ValueSize(), size)
	}
	page := unix.Getpagesize()
	size := (int(m.ValueSize())*int(m.MaxEntries()) + page - 1) / page * page
	b, err := unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return mapping[T]{}, fmt.Errorf("bpf: map memory of %s: %w", m, err)
	}
	values := unsafe.Slice((*T)(unsafe.Pointer(&b[0])), m.MaxEntries())
	return mapping[T]{bytes: b, values: values}, nil
}

func (m *mapping[T]) close() error {
	if m.bytes == nil {
		return nil
	}
	b := m.bytes
	m.bytes, m.values = nil, nil
	return unix.Munmap(b)
}
