package netns

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// closeTimeout bounds the wait for the kernel to let go of what was given up.
// Killing and deleting take milliseconds; a loaded machine gets the rest.
const closeTimeout = 5 * time.Second

// Close ends the processes, removes the links, gives up the namespaces and then
// looks for whatever is left of them: it returns what could not be removed, which
// is nothing if all is well. It is idempotent, and bounded in time by ctx and by
// a few seconds of its own.
func (p *Pair) Close(ctx context.Context) []trace.Leak {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	var leaks []trace.Leak
	note := func(err error) {
		if err != nil {
			leaks = append(leaks, trace.Leak{What: err.Error()})
		}
	}
	for _, err := range p.killAll(ctx) {
		note(err)
	}
	p.mu.Lock()
	cuts := p.cuts
	p.cuts = nil
	p.mu.Unlock()
	for _, cut := range cuts {
		note(cut.remove())
	}
	for _, name := range []string{plan.LinkClients, plan.LinkBackends, "lb1"} {
		if h := p.byName[name]; h != nil && h.links != nil {
			note(h.removeLinks())
		}
	}
	for _, h := range p.hosts {
		if h.space != nil {
			note(h.destroySockets())
		}
		note(h.release())
	}
	return append(leaks, p.leaks(ctx)...)
}

// killAll kills what still runs in any host, all at once.
func (p *Pair) killAll(ctx context.Context) []error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, h := range p.hosts {
		for _, process := range h.Processes() {
			all.Go(func() {
				if _, err := process.Kill(ctx); err != nil {
					mu.Lock()
					defer mu.Unlock()
					errs = append(errs, err)
				}
			})
		}
	}
	all.Wait()
	return errs
}

// removeLinks deletes the host's interfaces; a veth takes its other end along.
// The end of the namespace would do the same, but later, and not at all while a
// socket holds the namespace.
func (h *Host) removeLinks() error {
	links, err := h.links.LinkList()
	if err != nil {
		return fmt.Errorf("netns: list the links of %s: %w", h.name, err)
	}
	for _, link := range links {
		if link.Attrs().Name == "lo" {
			continue
		}
		if _, veth := link.(*netlink.Veth); !veth && link.Type() != "bridge" {
			return fmt.Errorf("netns: %s has a link %s of type %s that is not of this pair",
				h.name, link.Attrs().Name, link.Type())
		}
		if err := h.links.LinkDel(link); err != nil {
			return fmt.Errorf("netns: delete link %s/%s: %w", h.name, link.Attrs().Name, err)
		}
	}
	return nil
}
