package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Refused implements dataplane.Dataplane.
func (d *Dataplane) Refused() (map[flow.Service]dataplane.Refusals, error) {
	all := make(map[flow.Service]dataplane.Refusals)
	for _, f := range d.families {
		if err := f.refused(all); err != nil {
			return nil, fmt.Errorf("bpf: read refused flows: %w", err)
		}
	}
	return all, nil
}

// refused adds the refused flows of the family's services. It skips a service that is
// removed meanwhile.
func (f *family[A]) refused(all map[flow.Service]dataplane.Refusals) error {
	var key rawServiceKey[A]
	var r rawRefusals
	entries := f.objs.Refusals.Iterate()
	for entries.Next(&key, &r) {
		all[fromServiceKey(&key)] = dataplane.Refusals(r)
	}
	if err := entries.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return err
	}
	return nil
}
