package model

import (
	"fmt"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Adopt returns the dataplane of a new process with the table that the previous process has
// left, if it has the same size. Events that the previous process had not read are lost,
// and its lease has ended. Inconsistent entries are removed.
func Adopt(cfg dataplane.Config, host Host, left *Dataplane) (*Dataplane, error) {
	d, err := New(cfg, host)
	if err != nil {
		return nil, err
	}
	if d.cfg.MaxFlows != left.cfg.MaxFlows {
		d.adoption.Refused = fmt.Sprintf("it is for %d flows, and the configuration (max_flows) for %d", left.cfg.MaxFlows, d.cfg.MaxFlows)
		return d, nil
	}
	d.conns, d.replies, d.kept, d.now = left.conns, left.replies, left.kept, left.now
	d.adoption = dataplane.Adoption{Taken: true, Pedigree: left.kept}
	d.adoption.Pedigree.Ended = left.lease
	for t, c := range d.conns { // order does not matter: entries are checked one by one
		if !d.isSound(t, c) {
			d.remove(t)
			d.adoption.Damaged++
		}
	}
	return d, nil
}

// Attached implements dataplane.Dataplane. The model knows no hooks.
func (d *Dataplane) Attached() dataplane.Attachment { return dataplane.Attachment{} }

// Adopted implements dataplane.Dataplane.
func (d *Dataplane) Adopted() dataplane.Adoption { return d.adoption }

// Keep implements dataplane.Dataplane.
func (d *Dataplane) Keep(p flow.Pedigree) error {
	d.kept = p
	return nil
}
