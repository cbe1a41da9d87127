package sim

import (
	"time"

	"baton/impl/arbiter"
	"baton/impl/node"
)

// One-way delay of a question to the arbiter, and of its answer.
const (
	storeMin = 200 * time.Microsecond
	storeMax = 2 * time.Millisecond
)

// Arbitrate implements driver.Arbiter. The store is on a separate network, which cuts
// between the nodes do not affect. A failed request has no answer; half of the failed
// requests are executed nevertheless.
func (p *ports) Arbitrate(q arbiter.Question) {
	w, life := p.w, p.life
	share := w.chaos.arbiterFails[p.index]
	fails := share > 0 && w.now >= epoch.Add(w.chaos.arbiterFrom) && p.random.Chance(share)
	arrives := !fails || p.random.Chance(halfway)
	w.at(w.now.Add(p.random.Between(storeMin, storeMax)), func() {
		if !arrives {
			return
		}
		answer := w.arbiter.Do(q)
		back := p.random.Between(storeMin, storeMax)
		if late := w.chaos.arbiterLate; late > 0 {
			back += p.random.Between(0, late)
		}
		if !fails {
			w.at(w.now.Add(back), func() { (*process)(p).input(life, node.Arbitration{Answer: answer}) })
		}
	})
}
