package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// mirror is a map that only this process writes, with a copy of what was written, so that
// only differences are written. Programs may change a value; the copy keeps what was
// written.
type mirror[K, V comparable] struct {
	kernel *ebpf.Map
	holds  map[K]V
}

func newMirror[K, V comparable](m *ebpf.Map) mirror[K, V] {
	return mirror[K, V]{kernel: m, holds: make(map[K]V)}
}

// put adds and replaces entries.
func (m *mirror[K, V]) put(want map[K]V) error {
	var keys []K
	var values []V
	for k, v := range want {
		if held, ok := m.holds[k]; !ok || held != v {
			keys, values = append(keys, k), append(values, v)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	n, err := m.kernel.BatchUpdate(keys, values, nil)
	for i := range keys[:n] {
		m.holds[keys[i]] = values[i]
	}
	if err != nil {
		return fmt.Errorf("bpf: set %s: %w", m.kernel, err)
	}
	return nil
}

// prune removes the entries that are not in want.
func (m *mirror[K, V]) prune(want map[K]V) error {
	var stale []K
	for k := range m.holds {
		if _, ok := want[k]; !ok {
			stale = append(stale, k)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	n, err := m.kernel.BatchDelete(stale, nil)
	for _, k := range stale[:n] {
		delete(m.holds, k)
	}
	if err != nil {
		return fmt.Errorf("bpf: prune %s: %w", m.kernel, err)
	}
	return nil
}
