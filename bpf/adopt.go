package bpf

import (
	"fmt"

	"baton/impl/flow"
)

// removeDamagedAdopted removes the inconsistent entries of an adopted table.
func (d *Dataplane) removeDamagedAdopted() error {
	if d.pins == nil || !d.pins.adoption.Taken {
		return nil
	}
	var damaged []flow.Tuple
	for end := false; !end; {
		var err error
		if end, err = d.Walk(func(h flow.Held) {
			if !h.Sound {
				damaged = append(damaged, h.Original)
			}
		}); err != nil {
			return fmt.Errorf("bpf: check the adopted table: %w", err)
		}
	}
	d.pins.adoption.Damaged = len(damaged)
	return d.Heal(nil, damaged)
}
