package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/netns/internal/hostclock"
	"baton/scenarios/lab"
)

// ErrNoReceipt is wrapped by the error of a fault that was executed but not seen to take
// effect. What follows in the run then proves nothing.
var ErrNoReceipt = errors.New("no receipt")

func noReceipt(format string, args ...any) error {
	return fmt.Errorf("netns: %w: %w", ErrNoReceipt, fmt.Errorf(format, args...))
}

// Crash is a power failure: the process stops, its links lose carrier, and its memory, its
// dataplane's tables and its kernel's connections are lost. The process is stopped before
// its links go down, so that it cannot send a last packet.
func (p *Pair) Crash(ctx context.Context, process *Process) (receipt string, err error) {
	h := process.host
	if err := process.alive(); err != nil {
		return "", noReceipt("crash %s: %w", h.name, err)
	}
	if _, err := process.Freeze(ctx); err != nil {
		return "", err
	}
	carrier, err := p.setLinks(ctx, h, false)
	if err != nil {
		return "", noReceipt("crash %s: %w", h.name, err)
	}
	exit, err := process.Kill(ctx)
	if err != nil {
		return "", noReceipt("crash %s: %w", h.name, err)
	}
	if err := h.destroySockets(); err != nil {
		return "", noReceipt("crash %s: %w", h.name, err)
	}
	if process.contained {
		if err := h.clearKernelState(); err != nil {
			return "", noReceipt("crash %s: %w", h.name, err)
		}
	}
	return fmt.Sprintf("process %d gone (%s); %s", process.pid, exit, carrier), nil
}

// Kill sends SIGKILL to the node's process; links and kernel state stay.
func (p *Pair) Kill(ctx context.Context, process *Process) (receipt string, err error) {
	if err := process.alive(); err != nil {
		return "", noReceipt("kill %s: %w", process.host.name, err)
	}
	exit, err := process.Kill(ctx)
	if err != nil {
		return "", noReceipt("kill %s: %w", process.host.name, err)
	}
	return fmt.Sprintf("process %d gone (%s)", process.pid, exit), nil
}

// Stop sends SIGTERM and waits until the process has exited. If ctx ends first, the process
// still runs.
func (p *Pair) Stop(ctx context.Context, process *Process) (receipt string, err error) {
	if err := process.alive(); err != nil {
		return "", noReceipt("stop %s: %w", process.host.name, err)
	}
	asked := hostclock.Now()
	if err := process.Signal(unix.SIGTERM); err != nil {
		return "", err
	}
	exit, err := process.Wait(ctx)
	if err != nil {
		return "", noReceipt("stop %s: %w", process.host.name, err)
	}
	return fmt.Sprintf("process %d ended %v after SIGTERM (%s)", process.pid, exit.At.Sub(asked), exit), nil
}

// Freeze sends SIGSTOP.
func (p *Pair) Freeze(ctx context.Context, process *Process) (receipt string, err error) {
	return process.Freeze(ctx)
}

// Thaw sends SIGCONT.
func (p *Pair) Thaw(ctx context.Context, process *Process) (receipt string, err error) {
	return process.Thaw(ctx)
}

// Restore powers a crashed node up: addresses as built, no neighbour entries, links with
// carrier; then it calls start. If the links are up, it only calls start.
func (p *Pair) Restore(ctx context.Context, node string, start func(*Host) (*Process, error)) (process *Process, receipt string, err error) {
	h := p.byName[node]
	if h == nil || h.role != RoleLB {
		return nil, "", fmt.Errorf("netns: restore %s: no such node", node)
	}
	carrier, err := p.powerUp(ctx, h)
	if err != nil {
		return nil, "", noReceipt("restore %s: %w", node, err)
	}
	if process, err = start(h); err != nil {
		return nil, "", noReceipt("restore %s: %w", node, err)
	}
	return process, fmt.Sprintf("%s; process %d started", carrier, process.pid), nil
}

// powerUp sets a host's links up again, with their addresses as built and without neighbour
// entries.
func (p *Pair) powerUp(ctx context.Context, h *Host) (carrier string, err error) {
	if down, err := h.anyLinkDown(); err != nil || !down {
		return "links were up", err
	}
	if err := h.reset(); err != nil {
		return "", err
	}
	if carrier, err = p.setLinks(ctx, h, true); err != nil {
		return "", err
	}
	return carrier, h.route()
}

// alive returns an error if the process has ended.
func (p *Process) alive() error {
	select {
	case <-p.done:
		return fmt.Errorf("process %d has already ended (%s)", p.pid, p.exit)
	default:
		return nil
	}
}

// setLinks sets all interfaces of a host up or down, waits until their far ends notice, and
// returns what they saw.
func (p *Pair) setLinks(ctx context.Context, h *Host, up bool) (seen string, err error) {
	return p.setCarrier(ctx, h, h.interfaces, up)
}

// SetPort sets the interface of a host on one link up or down, and returns what the far end
// saw. For a client it sets the switch port instead: a kernel refuses to send from an
// interface that is down, whereas one without carrier keeps retransmitting.
func (p *Pair) SetPort(ctx context.Context, host, link string, up bool) (seen string, err error) {
	h := p.byName[host]
	if h == nil {
		return "", fmt.Errorf("netns: no host %q", host)
	}
	i, ok := h.Interface(link)
	if !ok {
		return "", fmt.Errorf("netns: %s has no interface on %s", host, link)
	}
	if h.role == RoleClient {
		seen, err = p.setPlugged(ctx, p.byName[link], []string{host}, up)
	} else if seen, err = p.setCarrier(ctx, h, []Interface{i}, up); err == nil && up {
		err = h.route()
	}
	if err != nil {
		return "", noReceipt("port %s via %s: %w", host, link, err)
	}
	return seen, nil
}

func (p *Pair) setCarrier(ctx context.Context, h *Host, interfaces []Interface, up bool) (seen string, err error) {
	for _, i := range interfaces {
		link, err := h.links.LinkByName(i.Name)
		if err != nil {
			return "", fmt.Errorf("find %s/%s: %w", h.name, i.Name, err)
		}
		set, what := h.links.LinkSetUp, "up"
		if !up {
			set, what = h.links.LinkSetDown, "down"
		}
		if err := set(link); err != nil {
			return "", fmt.Errorf("set %s/%s %s: %w", h.name, i.Name, what, err)
		}
	}
	var ends []string
	for _, i := range interfaces {
		end, err := p.awaitCarrier(ctx, i, up)
		if err != nil {
			return "", err
		}
		ends = append(ends, end)
	}
	state := "down"
	if up {
		state = "up"
	}
	return fmt.Sprintf("carrier %s on %s", state, strings.Join(ends, ", ")), nil
}

// awaitCarrier waits until the far end of an interface's cable has noticed that the
// interface went up or down, and returns the far end's name.
func (p *Pair) awaitCarrier(ctx context.Context, i Interface, up bool) (end string, err error) {
	far, name := p.otherEnd(i)
	end = far.name + "/" + name
	dead := ""
	err = poll(ctx, func() (bool, string, error) {
		there, err := far.links.LinkByName(name)
		if err != nil {
			return false, "", fmt.Errorf("find %s: %w", end, err)
		}
		here, err := p.byName[i.Host].links.LinkByName(i.Name)
		if err != nil {
			return false, "", fmt.Errorf("find %s/%s: %w", i.Host, i.Name, err)
		}
		if there.Attrs().Flags&net.FlagUp == 0 {
			// The far end is down itself, so only this end can tell.
			dead = " (down itself)"
			set := here.Attrs().Flags&net.FlagUp != 0
			return set == up, fmt.Sprintf("%s is down; %s/%s set up: %v", end, i.Host, i.Name, set), nil
		}
		carries := there.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
		// Carrier comes at once, but a port forwards and a device sends only after the
		// kernel has raised the operational state, a little later.
		ready := !up || there.Attrs().OperState == netlink.OperUp && here.Attrs().OperState == netlink.OperUp
		return carries == up && ready, fmt.Sprintf("%s: carrier %v, state %v", end, carries, there.Attrs().OperState), nil
	})
	return end + dead, err
}

// otherEnd returns the host and interface name of the far end of an interface's cable.
func (p *Pair) otherEnd(i Interface) (*Host, string) {
	if i.Link != lab.Sync {
		return p.byName[i.Link], i.Host
	}
	return p.byName[lab.Peer(i.Host)], SyncSide
}

func (h *Host) anyLinkDown() (bool, error) {
	for _, i := range h.interfaces {
		link, err := h.links.LinkByName(i.Name)
		if err != nil {
			return false, fmt.Errorf("netns: find %s/%s: %w", h.name, i.Name, err)
		}
		if link.Attrs().Flags&unix.IFF_UP == 0 {
			return true, nil
		}
	}
	return false, nil
}

// reset removes the addresses that the node's process added and a reboot would clear.
// Setting the links down has already removed the neighbour entries, permanent ones
// included.
func (h *Host) reset() error {
	for _, i := range h.interfaces {
		link, err := h.links.LinkByName(i.Name)
		if err != nil {
			return fmt.Errorf("find %s: %w", i.Name, err)
		}
		var own []*netlink.Addr
		for _, prefix := range i.Addrs() {
			addr, err := addressOf(prefix)
			if err != nil {
				return err
			}
			own = append(own, addr)
		}
		addresses, err := h.links.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return fmt.Errorf("list addresses of %s: %w", i.Name, err)
		}
		for _, a := range addresses {
			if a.Scope == unix.RT_SCOPE_LINK || slices.ContainsFunc(own, func(o *netlink.Addr) bool { return a.Equal(*o) }) {
				continue
			}
			if err := h.links.AddrDel(link, &a); err != nil {
				return fmt.Errorf("delete address %s of %s: %w", a.IPNet, i.Name, err)
			}
		}
		for _, addr := range own {
			if err := h.links.AddrReplace(link, addr); err != nil {
				return fmt.Errorf("add address %s to %s: %w", addr.IPNet, i.Name, err)
			}
		}
	}
	return nil
}
