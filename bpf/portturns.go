package bpf

import (
	"fmt"

	"baton/impl/dataplane/model"
)

// beginTurns writes at which SNAT port each backend's turn begins.
func (f *family[A]) beginTurns(snatTurn uint64) error {
	if snatTurn == 0 {
		return nil
	}
	if err := f.objs.PortTurns.Set(model.PortTurns(snatTurn)); err != nil {
		return fmt.Errorf("bpf: write the turns of SNAT ports: %w", err)
	}
	return nil
}
