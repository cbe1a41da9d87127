package netns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	nshandle "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// containedFlags are the namespaces of a contained process, besides the network namespace.
// Its first process is the init of its PID namespace: when it ends, the kernel kills the
// rest.
const containedFlags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS

// members returns the pids of the node's processes. Of a contained node that is its whole
// tree, in any process group or session: an orphan is reparented to the init, so all are
// its descendants. A process that starts or ends at this moment may be missed.
func (p *Process) members() []int {
	members := []int{p.pid}
	for i := 0; p.contained && i < len(members); i++ {
		found, ok := children(members[i])
		if !ok && i == 0 {
			return append(members, p.namespaceMembers()...)
		}
		members = append(members, found...)
	}
	return members
}

// namespaceMembers returns the other processes in the init's PID namespace. It scans all
// processes of the machine, which is much slower than walking the tree; it serves kernels
// that do not list children.
func (p *Process) namespaceMembers() (found []int) {
	space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", p.pid))
	if err != nil {
		return nil
	}
	links, _ := filepath.Glob("/proc/[0-9]*/ns/pid") // the only error is a bad pattern
	for _, link := range links {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(link))))
		if err != nil || pid == p.pid {
			continue
		}
		if other, err := os.Readlink(link); err == nil && other == space {
			found = append(found, pid)
		}
	}
	return found
}

// children returns the child processes of all threads of a process. ok is false if the
// kernel does not list them.
func children(pid int) (found []int, ok bool) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/children", pid)) // the only error is a bad pattern
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread ended meanwhile
		}
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				found = append(found, child)
			}
		}
	}
	return found, len(lists) > 0
}

// signalMembers signals a contained process's tree. SIGSTOP goes to the init first, so that
// it starts nothing meanwhile; SIGKILL goes to the init alone. It repeats until no new
// process appears.
func (p *Process) signalMembers(sig unix.Signal) error {
	signalled := map[int]bool{}
	for pids := []int{p.pid}; len(pids) > 0; {
		for _, pid := range pids {
			signalled[pid] = true
			if err := unix.Kill(pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("netns: send %s to process %d in %s: %w", unix.SignalName(sig), pid, p.host.name, err)
			}
		}
		if sig == unix.SIGKILL {
			break
		}
		pids = slices.DeleteFunc(p.members(), func(pid int) bool { return signalled[pid] })
	}
	return nil
}

// clearKernelState clears what a power failure clears and a node other than the reference
// may have left in the kernel: nftables rules, conntrack entries, its own devices, programs
// and queues on other devices, routing rules and changed sysctls.
func (h *Host) clearKernelState() error {
	return errors.Join(h.flushRuleset(), h.flushConnections(), h.removeForeignLinks(), h.detachPrograms(), h.flushRules(), h.resetParameters())
}

func (h *Host) flushRuleset() error {
	c, err := nftables.New(nftables.WithNetNSFd(int(h.space.Fd())))
	if err != nil {
		return fmt.Errorf("netns: flush the packet filter of %s: %w", h.name, err)
	}
	c.FlushRuleset()
	if err := c.Flush(); err != nil && !unsupported(err) {
		return fmt.Errorf("netns: flush the packet filter of %s: %w", h.name, err)
	}
	return nil
}

func (h *Host) flushConnections() error {
	handle, err := netlink.NewHandleAt(nshandle.NsHandle(h.space.Fd()), unix.NETLINK_NETFILTER)
	if err == nil {
		defer handle.Close()
		err = handle.ConntrackTableFlush(netlink.ConntrackTable)
	}
	if err != nil && !unsupported(err) {
		return fmt.Errorf("netns: flush the connections of %s: %w", h.name, err)
	}
	return nil
}

// unsupported reports whether the kernel lacks the feature that was to be flushed.
func unsupported(err error) bool {
	return errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)
}

// removeForeignLinks deletes the devices that the builder did not make, for instance VRRP
// devices.
func (h *Host) removeForeignLinks() error {
	links, err := h.links.LinkList()
	if err != nil {
		return fmt.Errorf("netns: list the links of %s: %w", h.name, err)
	}
	for _, link := range links {
		if link.Attrs().Flags&net.FlagLoopback != 0 || h.owns(link.Attrs().Name) {
			continue
		}
		if err := h.links.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("netns: delete link %s of %s: %w", link.Attrs().Name, h.name, err)
		}
	}
	return nil
}

// detachPrograms removes qdiscs and XDP programs from the host's devices.
func (h *Host) detachPrograms() error {
	for _, i := range h.interfaces {
		link, err := h.links.LinkByName(i.Name)
		if err != nil {
			return fmt.Errorf("netns: find %s/%s: %w", h.name, i.Name, err)
		}
		if xdp := link.Attrs().Xdp; xdp != nil && xdp.Attached {
			if err := h.Do(func() error { return netlink.LinkSetXdpFd(link, -1) }); err != nil {
				return fmt.Errorf("netns: detach the XDP program of %s/%s: %w", h.name, i.Name, err)
			}
		}
		qdiscs, err := h.links.QdiscList(link)
		if err != nil {
			return fmt.Errorf("netns: list the queues of %s/%s: %w", h.name, i.Name, err)
		}
		for _, q := range qdiscs {
			if q.Attrs().Handle == 0 {
				continue // the kernel's own
			}
			if err := h.links.QdiscDel(q); err != nil && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("netns: delete queue %s of %s/%s: %w", q.Type(), h.name, i.Name, err)
			}
		}
	}
	return nil
}

// firstRule and lastRules are the priorities of the routing rules that exist in every
// namespace.
const (
	firstRule = 0
	lastRules = 32766
)

// flushRules deletes the other routing rules.
func (h *Host) flushRules() error {
	rules, err := h.links.RuleList(unix.AF_INET)
	if err != nil {
		return fmt.Errorf("netns: list the rules of %s: %w", h.name, err)
	}
	for _, rule := range rules {
		if rule.Priority <= firstRule || rule.Priority >= lastRules {
			continue
		}
		if err := h.links.RuleDel(&rule); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("netns: delete rule %d of %s: %w", rule.Priority, h.name, err)
		}
	}
	return nil
}

// owns reports whether the builder made the host's device of that name.
func (h *Host) owns(name string) bool {
	for _, i := range h.interfaces {
		if i.Name == name {
			return true
		}
	}
	return false
}
