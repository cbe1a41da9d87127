package netns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"baton/impl/trace"
	"baton/scenarios/lab"
)

// closeTimeout bounds the wait for processes to end and for the kernel to let go
// of what was given up: a tenth of a second, unless the machine is in a bad way.
const closeTimeout = 30 * time.Second

// Close ends the processes, removes the links, gives up the namespaces and then
// looks for whatever is left of them: it returns what could not be removed, which
// is nothing if all is well. It is idempotent, and bounded in time by ctx and by
// closeTimeout.
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
	filters, floods := p.filters, p.floods
	p.cuts, p.filters, p.floods = nil, nil, nil
	p.mu.Unlock()
	for _, f := range floods {
		f.end()
	}
	for _, f := range filters { // in any order: each is closed
		note(f.close())
	}
	for _, err := range p.removeLinks() {
		note(err)
	}
	for _, h := range p.hosts {
		if !h.closed {
			note(h.destroySockets())
		}
		note(h.release())
	}
	return append(leaks, p.leaks(ctx)...)
}

// killAll kills what still runs in any host, all at once.
func (p *Pair) killAll(ctx context.Context) []error {
	var kills []func() error
	for _, h := range p.hosts {
		for _, process := range h.Processes() {
			kills = append(kills, func() error { _, err := process.Kill(ctx); return err })
		}
	}
	return together(kills)
}

// removeLinks deletes the interfaces of all hosts. A veth takes its other end
// along, so it is done from one end of each. The end of the namespaces would do
// the same, but later, and not at all while a socket holds one.
func (p *Pair) removeLinks() []error {
	var removals []func() error
	for _, name := range []string{lab.Clients, lab.Backends, lab.Nodes()[0]} {
		if h := p.byName[name]; h != nil && !h.closed {
			removals = append(removals, h.removeLinks)
		}
	}
	return together(removals)
}

// removeLinks deletes the host's interfaces that the builder made, all in one
// request: the kernel waits a grace period for each request, not for each link.
func (h *Host) removeLinks() error {
	request := nl.NewNetlinkRequest(unix.RTM_DELLINK, unix.NLM_F_ACK)
	request.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	request.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(linkGroup)))
	err := h.Do(func() error {
		_, err := request.Execute(unix.NETLINK_ROUTE, 0)
		return err
	})
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("delete the links: %w", err)
	}
	left, err := h.links.LinkList()
	if err != nil {
		return fmt.Errorf("netns: list the links of %s: %w", h.name, err)
	}
	for _, link := range left {
		if link.Attrs().Group == linkGroup {
			return fmt.Errorf("netns: link %s/%s could not be deleted", h.name, link.Attrs().Name)
		}
	}
	return nil
}

// together runs the functions side by side and returns the errors.
func together(functions []func() error) []error {
	errs := make([]error, len(functions))
	var all sync.WaitGroup
	for i, f := range functions {
		all.Go(func() { errs[i] = f() })
	}
	all.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}
