package daemon

import (
	"fmt"

	"baton/impl/health"
	"baton/impl/node"
)

// Follow implements driver.Decider. The topics are backend states and services changed at
// run time.
func (p *ports) Follow(topic string, data []byte) {
	p.out.edits.following.Store(true)
	if service, ok := serviceOf(topic); ok {
		p.out.edits.follow(service, data)
	}
	if service, ok := health.ServiceOf(topic); ok {
		if err := p.out.balancer.follow(service, data); err != nil {
			(*loop)(p).fail(callFollow, "a decision of the MASTER is not followed", err)
		}
	}
}

// Unfollow implements driver.Decider.
func (p *ports) Unfollow() {
	p.out.edits.following.Store(false)
	p.out.balancer.lead()
}

// follow applies the MASTER's decisions about the backends of a service; with nil this node
// decides itself.
func (b *balancer) follow(service string, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if data == nil {
		delete(b.followed, service)
		b.stepLocked(service, health.Lead{})
		return nil
	}
	decisions, err := health.DecodeDecisions(data)
	if err != nil {
		return fmt.Errorf("daemon: decisions of service %s: %w", service, err)
	}
	b.followed[service] = followed{decisions, b.now()}
	b.stepLocked(service, health.Follow{Decisions: decisions})
	return nil
}

// lead makes this node decide itself, starting from the states that it has followed.
func (b *balancer) lead() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.followed)
	for _, p := range b.pools {
		b.stepLocked(p.service.Name, health.Lead{})
	}
}

// decided tells the core a pool's decision. The caller holds mu.
func (b *balancer) decided(p *pool) {
	b.tell(node.Decided{Topic: health.Topic(p.service.Name), Data: health.AppendDecisions([]byte{}, p.Decisions(b.now()))})
}
