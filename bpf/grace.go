package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// grace waits for programs that are running, by an RCU grace period. The kernel waits for one in the update of
// a map of maps, before it returns (maybe_wait_bpf_programs in kernel/bpf/syscall.c). The zero value is ready
// for use.
type grace struct {
	outer, inner *ebpf.Map
}

// wait returns once every program that runs now has ended. It takes some ten milliseconds.
func (g *grace) wait() error {
	if g.outer == nil {
		if err := g.open(); err != nil {
			return fmt.Errorf("bpf: open the map of a grace period: %w", err)
		}
	}
	if err := g.outer.Put(uint32(0), g.inner); err != nil {
		return fmt.Errorf("bpf: wait for a grace period: %w", err)
	}
	return nil
}

func (g *grace) open() error {
	spec := &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1}
	inner, err := ebpf.NewMap(spec)
	if err != nil {
		return err
	}
	outer, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ArrayOfMaps, KeySize: 4, MaxEntries: 1, InnerMap: spec})
	if err != nil {
		return errors.Join(err, inner.Close())
	}
	g.inner, g.outer = inner, outer
	return nil
}

func (g *grace) close() error {
	return errors.Join(g.outer.Close(), g.inner.Close())
}
