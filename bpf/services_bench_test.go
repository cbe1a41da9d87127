package bpf

import (
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// manyServices returns 100 services of 10 backends, half of them Maglev. In the first changed of them
// the last backend has another port.
func manyServices(changed int, port uint16) []dataplane.Service {
	services := make([]dataplane.Service, 100)
	for i := range services {
		backends := []uint16{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
		if i < changed {
			backends[9] = port
		}
		mode, balance := dataplane.FullNAT, dataplane.RoundRobin
		if i%2 == 0 {
			mode, balance = dataplane.DNAT, dataplane.Maglev
		}
		for j := range backends {
			backends[j] += uint16(100 * i)
		}
		services[i] = labService(flow.TCP, uint16(20000+i), mode, balance, backends...)
	}
	return services
}

// BenchmarkSetServices measures a change of services in which all, one or none differ, and for
// comparison plain batch writes of all tables, computed in advance.
func BenchmarkSetServices(b *testing.B) {
	cfg := labConfig(manyServices(0, 0)...)
	for _, bm := range []struct {
		name    string
		changed int
	}{{"changed=100", 100}, {"changed=1", 1}, {"changed=0", 0}} {
		b.Run(bm.name, func(b *testing.B) {
			s := newProgramSubject(b, cfg)
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				services := manyServices(bm.changed, uint16(50+i%2))
				b.StartTimer()
				s.must(s.SetServices(services, cfg.VIPs))
			}
		})
	}
	b.Run("batch-writes-alone", func(b *testing.B) {
		needRoot(b)
		var tables [][]rawBackend[ipv4]
		for _, s := range manyServices(100, 50) {
			var table []rawBackend[ipv4]
			for _, slot := range model.Slots(s) {
				raw, err := toBackend[ipv4](slot, nil)
				if err != nil {
					b.Fatal(err)
				}
				table = append(table, raw)
			}
			tables = append(tables, table)
		}
		for b.Loop() {
			for _, table := range tables {
				writeArray(b, table)
			}
		}
	})
}

// writeArray makes an inner map and fills it in one batch.
func writeArray(b *testing.B, values []rawBackend[ipv4]) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.Array, Flags: unix.BPF_F_INNER_MAP, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(values[0])), MaxEntries: uint32(len(values)),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	keys := make([]uint32, len(values))
	for i := range keys {
		keys[i] = uint32(i)
	}
	if _, err := m.BatchUpdate(keys, values, nil); err != nil {
		b.Fatal(err)
	}
}
