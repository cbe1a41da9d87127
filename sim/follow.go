package sim

import (
	"baton/impl/health"
	"baton/impl/node"
)

// tellDecisions passes the decisions of a pool to the core. It does so by an event, because the
// core may be executing an effect.
func (p *process) tellDecisions(life uint64, pool int) {
	in := node.Decided{
		Topic: health.Topic(p.tables.Services[pool].Name),
		Data:  health.AppendDecisions([]byte{}, p.checks.pools[pool].Decisions(p.w.now)),
	}
	p.w.at(p.w.now, func() { p.input(life, in) })
}

// Follow implements driver.Decider.
func (p *ports) Follow(topic string, data []byte) {
	service, ok := health.ServiceOf(topic)
	if !ok {
		return
	}
	var in health.Input = health.Lead{}
	if data != nil {
		decisions, err := health.DecodeDecisions(data)
		if err != nil {
			panic("sim: a daemon sent decisions that cannot be decoded: " + err.Error())
		}
		in = health.Follow{Decisions: decisions}
		(*process)(p).startPools()
	}
	(*process)(p).stepPools(in, func(name string) bool { return name == service })
}

// Unfollow implements driver.Decider.
func (p *ports) Unfollow() {
	(*process)(p).stepPools(health.Lead{}, func(string) bool { return true })
}

// stepPools gives an input to the pools of the selected services.
func (p *process) stepPools(in health.Input, of func(service string) bool) {
	for i, pool := range p.checks.pools {
		if of(p.tables.Services[i].Name) {
			pool.Step(p.w.now, in)
		}
	}
	life := p.life
	p.w.at(p.w.now, func() { p.turnChecks(life) })
}
