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

// closeTimeout bounds the wait for processes to end and for the kernel to release the
// namespaces. That usually takes a tenth of a second.
const closeTimeout = 30 * time.Second

// Close kills the processes, deletes the links, releases the namespaces and then looks for
// leaks. It returns what could not be removed. It is idempotent and bounded by ctx and
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
	for _, f := range filters { // order does not matter
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

// killAll kills all running processes of all hosts in parallel.
func (p *Pair) killAll(ctx context.Context) []error {
	var kills []func() error
	for _, h := range p.hosts {
		for _, process := range h.Processes() {
			kills = append(kills, func() error { _, err := process.Kill(ctx); return err })
		}
	}
	return together(kills)
}

// removeLinks deletes the interfaces of all hosts. Deleting one end of a veth deletes the
// other. The end of the namespaces would delete them too, but later, and not while a socket
// holds the namespace.
func (p *Pair) removeLinks() []error {
	var removals []func() error
	for _, name := range []string{lab.Clients, lab.Backends, lab.Nodes()[0]} {
		if h := p.byName[name]; h != nil && !h.closed {
			removals = append(removals, h.removeLinks)
		}
	}
	return together(removals)
}

// removeLinks deletes the interfaces that the builder made, in one request: the kernel
// waits for a grace period once a request, not once a link.
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

// together runs the functions in parallel and returns their errors.
func together(functions []func() error) []error {
	errs := make([]error, len(functions))
	var all sync.WaitGroup
	for i, f := range functions {
		all.Go(func() { errs[i] = f() })
	}
	all.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}
