package traffic

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"baton/impl/clock"
	"baton/netns/internal/hostclock"
	"baton/scenarios/plan"
)

// Clients and backends are sockets of this process on shared threads. A fault of a machine
// affects the sockets that the machine owns.

// Halt ends a backend's servers or a client's programs; the kernel closes their sockets. It
// returns the number of sockets.
func (g *Generator) Halt(machine string) (sockets int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.breakOff(machine)
	return g.each(machine, (*loop).halt)
}

// Freeze stops a machine's servers or programs: the kernel still accepts and acknowledges,
// but nothing is read or sent. It returns the number of frozen sockets.
func (g *Generator) Freeze(machine string) (sockets int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isClient(machine) {
		g.absent[machine] = true
	}
	for _, p := range g.of(machine) {
		p.freeze()
	}
	return g.each(machine, (*loop).freeze)
}

// Thaw continues a frozen machine. It returns the number of sockets.
func (g *Generator) Thaw(machine string) (sockets int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.of(machine) {
		p.thaw()
	}
	if sockets, err = g.each(machine, (*loop).thaw); err == nil && g.isClient(machine) {
		_, err = g.startShares(machine)
	}
	return sockets, err
}

// Leave ends a client's programs gracefully: each connection closes once it is answered. It
// returns the number of lines that ended.
func (g *Generator) Leave(client string) (lines int, err error) {
	var left sync.WaitGroup
	g.mu.Lock()
	g.absent[client] = true
	for _, p := range g.of(client) {
		p.finish(hostclock.Now().Add(plan.LeaveTime), &left)
		lines++
	}
	g.mu.Unlock()
	left.Wait() // each ends after plan.LeaveTime at the latest
	_, err = g.Halt(client)
	return lines, err
}

// Serve restarts a machine's servers or programs. It returns the number of a backend's
// listening sockets, or of a client's lines.
func (g *Generator) Serve(machine string) (started int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isClient(machine) {
		return g.startShares(machine)
	}
	for _, b := range g.cfg.Backends {
		if b.Host.Name() != machine {
			continue
		}
		opened, err := b.listen(&g.cfg, g.stacks[machine])
		for _, l := range opened {
			s := g.serversOf(b, l.proto)
			s.loop.call(func() { err = errors.Join(err, s.serve(l)) })
		}
		return len(opened), err
	}
	return 0, unknown(machine)
}

// serversOf returns a backend's servers of a protocol.
func (g *Generator) serversOf(b Backend, proto string) *servers {
	on := g.streams
	if proto == plan.UDP {
		on = g.probes
	}
	return &servers{loop: on, name: b.Host.Name()}
}

// startShares starts a client's missing shares of the running lines.
func (g *Generator) startShares(machine string) (started int, err error) {
	delete(g.absent, machine)
	i := slices.IndexFunc(g.clients, func(c *client) bool { return c.name == machine })
	start := hostclock.Now().Add(slot)
	for _, l := range g.lines {
		has := slices.ContainsFunc(g.placed, func(p *clientShare) bool { return p.line == l && p.client == machine })
		if has || !l.runs() || !slices.Contains(l.senders, i) {
			continue
		}
		if err := g.startShare(l, i, start, readiness{onReady: func() {}}); err != nil {
			return started, fmt.Errorf("traffic: start %s on %s: %w", l.Name, machine, err)
		}
		started++
	}
	return started, nil
}

// runs reports whether a line has been started and not ended.
func (l *line) runs() bool {
	t := l.summary(false)
	return (l.From == 0 || t.Began > 0) && t.Ended == 0
}

// breakOff aborts a client's shares. A backend has none.
func (g *Generator) breakOff(client string) {
	if g.isClient(client) {
		g.absent[client] = true
	}
	for _, p := range g.of(client) {
		p.on.call(func() { p.leave(hostclock.Now()) })
	}
	g.placed = slices.DeleteFunc(g.placed, func(p *clientShare) bool { return p.client == client })
}

// leave aborts the share. If its client is frozen, the share ends at the instant of the
// freeze.
func (p *clientShare) leave(now clock.Instant) {
	if p.gone {
		return
	}
	if p.gone = true; p.frozen != 0 {
		now = p.frozen
	}
	p.on.generators = slices.DeleteFunc(p.on.generators, func(g generator) bool { return g == p.generator })
	if p.ending == nil || !p.ending.done {
		p.generator.breakOff(now)
	} else if flows, idle := p.generator.(*idleFlows); idle && p.line.runs() {
		flows.sample.forget() // it ended gracefully, and the client's next share draws its own sample
	}
	if p.ending != nil {
		p.ending.finished()
	}
}

// freeze stops the share from acting.
func (p *clientShare) freeze() {
	p.on.call(func() {
		if p.frozen == 0 {
			p.frozen = hostclock.Now()
			p.on.generators = slices.DeleteFunc(p.on.generators, func(g generator) bool { return g == p.generator })
		}
	})
}

func (p *clientShare) thaw() {
	p.on.call(func() {
		if p.frozen == 0 || p.gone {
			return
		}
		p.generator.resume(p.frozen, hostclock.Now())
		p.on.generators = append(p.on.generators, p.generator)
		p.frozen = 0
	})
}

// of returns a client's shares.
func (g *Generator) of(client string) []*clientShare {
	return slices.DeleteFunc(slices.Clone(g.placed), func(p *clientShare) bool { return p.client != client })
}

func (g *Generator) isClient(machine string) bool {
	return slices.ContainsFunc(g.clients, func(c *client) bool { return c.name == machine })
}

// each acts on a machine's sockets on each loop and returns their number.
func (g *Generator) each(machine string, do func(l *loop, owner string) (sockets int, err error)) (sockets int, err error) {
	if !g.isClient(machine) && !slices.ContainsFunc(g.cfg.Backends, func(b Backend) bool { return b.Host.Name() == machine }) {
		return 0, unknown(machine)
	}
	for _, l := range g.loops() {
		l.call(func() {
			n, failed := do(l, machine)
			sockets, err = sockets+n, errors.Join(err, failed)
		})
	}
	return sockets, err
}

func unknown(machine string) error { return fmt.Errorf("traffic: no machine %q", machine) }

// of returns a machine's descriptors that are watched, or those that are not.
func (l *loop) of(owner string, watched bool) []int {
	var fds []int
	for fd, s := range l.sources {
		if s.handler != nil && s.owner == owner && s.watched == watched {
			fds = append(fds, fd)
		}
	}
	return fds
}

// halt closes a machine's sockets, as the kernel does for an ended process.
func (l *loop) halt(owner string) (sockets int, err error) {
	for _, fd := range append(l.of(owner, true), l.of(owner, false)...) {
		l.drop(fd)
		sockets++
	}
	return sockets, nil
}

// freeze leaves incoming data in the kernel's buffers.
func (l *loop) freeze(owner string) (sockets int, err error) {
	for _, fd := range l.of(owner, true) {
		err = errors.Join(err, l.forget(fd))
		sockets++
	}
	return sockets, err
}

// thaw reads what has arrived and sends what was held back.
func (l *loop) thaw(owner string) (sockets int, err error) {
	for _, fd := range l.of(owner, false) {
		err = errors.Join(err, l.add(owner, fd, l.sources[fd].events, l.sources[fd].handler))
		sockets++
	}
	return sockets, err
}
