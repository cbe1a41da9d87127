package daemon

import (
	"log/slog"
	"sync"

	"baton/impl/daemon/control"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// pins describes what earlier processes have left in the kernel: the table that this one
// started with, and foreign programs.
type pins struct {
	table    *control.Pinned // nil without pin
	pedigree *flow.Pedigree  // of the adopted table; nil if there is none
	damaged  int             // entries of it that were removed

	find func() ([]dataplane.LeftPins, error)
	mu   sync.Mutex
	left []dataplane.LeftPins
	err  error // of the last search
}

// found notes whether the pinned table was adopted.
func (p *pins) found(dir string, a dataplane.Adoption) {
	if dir == "" {
		return
	}
	p.table = &control.Pinned{Dir: dir, Outcome: control.PinNew}
	switch {
	case a.Taken:
		p.pedigree, p.table.Outcome, p.damaged = &a.Pedigree, control.PinAdopted, a.Damaged
	case a.Refused != "":
		p.table.Outcome, p.table.Why = control.PinRefused, a.Refused
	}
}

// look searches for programs that were left on the links of a configuration.
func (p *pins) look(cfg dataplane.Config, find func(links []string, keep string) ([]dataplane.LeftPins, error)) {
	if find == nil {
		return
	}
	p.find = func() ([]dataplane.LeftPins, error) {
		return find([]string{cfg.ClientLink, cfg.BackendLink}, cfg.Pin)
	}
	p.left, p.err = p.find()
}

// warn logs what an operator should know.
func (p *pins) warn(log *slog.Logger) {
	if p.table != nil && p.table.Outcome == control.PinRefused {
		log.Warn("the pinned table is not adopted, and is removed", "pin", p.table.Dir, "why", p.table.Why)
	}
	if p.damaged > 0 {
		log.Warn("entries of the pinned table were damaged, and are removed", "pin", p.table.Dir, "entries", p.damaged)
	}
	for _, l := range p.left {
		log.Warn(l.String())
	}
	if p.err != nil {
		log.Warn("search for left pins failed", "error", p.err)
	}
}

// describe adds the pinned table to a status, and an alarm for each folder found at the
// start that still exists.
func (p *pins) describe(s *control.Status) {
	s.Pinned = p.table
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.left) > 0 {
		if left, err := p.find(); err == nil {
			p.left = left
		}
	}
	for _, l := range p.left {
		s.Alarms = append(s.Alarms, l.String())
	}
}
