package netns

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	nshandle "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Host is one namespace of a pair. It is safe for concurrent use.
type Host struct {
	name       string
	role       Role
	interfaces []Interface

	space  ns.NetNS
	links  *netlink.Handle
	thread *thread
	id     identity
	closed bool
	cables int // number made by Cable from this end

	// booted holds the sysctls from before the first contained process; nil without one.
	booted parameters

	// tunnel decapsulates packets to the host; nil without encapsulated services.
	tunnel io.Closer

	mu        sync.Mutex
	processes []*Process
	programs  []uint32 // ids of BPF programs seen in its processes
}

// newHost makes the namespace. The namespace has no name: it exists as long as a
// descriptor, a socket or a thread of this process or a child holds it.
func newHost(b blueprint) (_ *Host, err error) {
	h := &Host{name: b.name, role: b.role, interfaces: b.interfaces}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("netns: make namespace %s: %w", b.name, err), h.release())
		}
	}()
	if h.space, err = ns.TempNetNS(); err != nil {
		return nil, err
	}
	if h.id, err = identify(h.space); err != nil {
		return nil, err
	}
	if h.links, err = netlink.NewHandleAt(nshandle.NsHandle(h.space.Fd()), unix.NETLINK_ROUTE); err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	if h.thread, err = startThread(h.space); err != nil {
		return nil, err
	}
	h.thread.do(func() { err = writeSysctls(b.ipv6) })
	if err != nil {
		return nil, err
	}
	return h, h.linkUp("lo")
}

// Name is the host's name in the scenario: lb1, client1, backend2, clients, backends.
func (h *Host) Name() string { return h.name }

func (h *Host) Role() Role { return h.role }

// Interfaces returns the host's interfaces, without loopback. A switch has none.
func (h *Host) Interfaces() []Interface { return slices.Clone(h.interfaces) }

// Interface returns the host's interface on a link.
func (h *Host) Interface(link string) (Interface, bool) {
	i := slices.IndexFunc(h.interfaces, func(i Interface) bool { return i.Link == link })
	if i < 0 {
		return Interface{}, false
	}
	return h.interfaces[i], true
}

// Inode identifies the namespace; it is the number in the link text "net:[4026532281]".
func (h *Host) Inode() uint64 { return h.id.inode }

// Netlink returns the rtnetlink handle of the host's namespace. The host owns it.
func (h *Host) Netlink() *netlink.Handle { return h.links }

// Do runs f inside the namespace, on a locked thread and another goroutine than the
// caller's, and returns its error. A socket that f opens stays in the namespace and keeps
// it alive until it is closed; so open sockets in f and use them outside.
func (h *Host) Do(f func() error) error {
	result := errors.New("the function ended its goroutine instead of returning")
	if err := h.space.Do(func(ns.NetNS) error { result = f(); return nil }); err != nil {
		return fmt.Errorf("netns: enter %s: %w", h.name, err)
	}
	if result != nil {
		return fmt.Errorf("netns: in %s: %w", h.name, result)
	}
	return nil
}

// Processes returns the host's running processes.
func (h *Host) Processes() []*Process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.processes)
}

// release releases everything that holds the namespace. It is idempotent.
func (h *Host) release() error {
	if h.space == nil || h.closed {
		return nil
	}
	h.closed = true
	if h.thread != nil {
		h.thread.stop()
	}
	if h.links != nil {
		h.links.Close()
	}
	var err error
	if h.tunnel != nil {
		err = h.tunnel.Close()
	}
	if err := errors.Join(err, h.space.Close()); err != nil {
		return fmt.Errorf("netns: close namespace %s: %w", h.name, err)
	}
	return nil
}

func (h *Host) linkUp(name string) error {
	link, err := h.links.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	if err := h.links.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// addressOf converts a prefix for netlink. IFA_F_NODAD makes an IPv6 address usable at
// once: without it the address stays tentative until a kernel worker has run, even with
// accept_dad 0, and again after each link-down.
func addressOf(p netip.Prefix) (*netlink.Addr, error) {
	addr, err := netlink.ParseAddr(p.String())
	if err == nil && p.Addr().Is6() {
		addr.Flags |= unix.IFA_F_NODAD
	}
	return addr, err
}

// writeSysctls sets the sysctls that a pair depends on. It runs inside the namespace before
// there are interfaces, which inherit conf/default.
//
// A new namespace copies IPv4's conf values from the initial one, where a distribution may
// have changed them (rp_filter above all), so the kernel's defaults are restored. IPv6 is
// off unless a service needs it: its multicast reports would be noise in captures and
// counters. Where it is on, router advertisements and duplicate detection are off, so that
// the lab's addresses work at once, also after a link-down. Neighbour and TCP parameters
// stay at the kernel's defaults: how clients and backends react to a takeover with them is
// what is measured.
func writeSysctls(ipv6 bool) error {
	all := append(slices.Clone(sysctls), sysctl{"ipv6/conf/%s/disable_ipv6", "1"})
	if ipv6 {
		all = append(slices.Clone(sysctls), sysctls6...)
	}
	for _, sysctl := range all {
		for _, scope := range []string{"all", "default"} {
			path := fmt.Sprintf("/proc/sys/net/%s", fmt.Sprintf(sysctl.key, scope))
			err := os.WriteFile(path, []byte(sysctl.value), 0)
			if errors.Is(err, os.ErrNotExist) && strings.Contains(path, "/ipv6/") && !ipv6 {
				continue // a kernel without IPv6
			}
			if err != nil {
				return fmt.Errorf("write sysctl: %w", err)
			}
		}
	}
	return nil
}

// sysctl is a sysctl and its value; %s in the key is the interface.
type sysctl struct{ key, value string }

var sysctls = []sysctl{
	{"ipv4/conf/%s/rp_filter", "0"},
	{"ipv4/conf/%s/forwarding", "0"},
	{"ipv4/conf/%s/arp_accept", "0"},
	{"ipv4/conf/%s/arp_announce", "0"},
	{"ipv4/conf/%s/arp_filter", "0"},
	{"ipv4/conf/%s/arp_ignore", "0"},
	{"ipv4/conf/%s/arp_notify", "0"},
}

var sysctls6 = []sysctl{
	{"ipv6/conf/%s/disable_ipv6", "0"},
	{"ipv6/conf/%s/forwarding", "0"},
	{"ipv6/conf/%s/accept_ra", "0"},
	{"ipv6/conf/%s/autoconf", "0"},
	{"ipv6/conf/%s/router_solicitations", "0"},
	{"ipv6/conf/%s/accept_dad", "0"},
	{"ipv6/conf/%s/keep_addr_on_down", "1"},
	{"ipv6/conf/%s/drop_unsolicited_na", "0"},
}
