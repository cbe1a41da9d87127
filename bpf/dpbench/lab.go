package dpbench

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"

	"baton/impl/flow"
)

// The lab's addresses. Clients are 198.18.0.1 and on.
var (
	vip      = flow.IPv4(198, 18, 200, 100)
	snat     = flow.IPv4(198, 19, 200, 100)
	clients  = flow.IPv4(198, 18, 0, 0)
	client   = flow.IPv4(198, 18, 0, 1)
	backends = []flow.Addr{flow.IPv4(198, 19, 0, 11), flow.IPv4(198, 19, 0, 12), flow.IPv4(198, 19, 0, 13), flow.IPv4(198, 19, 0, 14)}
)

const (
	servicePort = 80
	floodedPort = servicePort + 1 // of a service that challenges every source
	sctpPort    = servicePort + 2
	tunnelPort  = servicePort + 3 // of a dsr-ipip service
	backendPort = 8080
)

// lab is a host with two links whose other ends receive and count packets. Its methods
// run on one thread, within its namespace.
type lab struct {
	host, ends ns.NetNS
	objs       benchObjects
	closers    []func() error
	work       chan func()
	driven     bool // the ends receive frames in their drivers
}

// newLab makes the host and its ends.
func newLab(driven bool) (l *lab, err error) {
	l = &lab{work: make(chan func()), driven: driven}
	if l.host, err = ns.TempNetNS(); err != nil {
		return nil, fmt.Errorf("dpbench: make a namespace: %w", err)
	}
	if l.ends, err = ns.TempNetNS(); err != nil {
		return nil, errors.Join(fmt.Errorf("dpbench: make a namespace: %w", err), l.host.Close())
	}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ready <- l.host.Set()
		for f := range l.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		return nil, errors.Join(err, l.close())
	}
	if err := l.inside(l.build); err != nil {
		return nil, errors.Join(fmt.Errorf("dpbench: build the lab: %w", err), l.close())
	}
	return l, nil
}

func (l *lab) inside(f func() error) error {
	done := make(chan error)
	l.work <- func() { done <- f() }
	return <-done
}

func (l *lab) close() error {
	close(l.work)
	var errs []error
	for _, f := range l.closers {
		errs = append(errs, f())
	}
	return errors.Join(append(errs, l.objs.Close(), l.host.Close(), l.ends.Close())...)
}

func (l *lab) build() error {
	if err := l.wire("client0", "198.18.100.1/16", client); err != nil {
		return err
	}
	if err := l.wire("backend0", "198.19.100.1/16", backends...); err != nil {
		return err
	}
	if err := l.load(); err != nil {
		return err
	}
	return l.ends.Do(func(ns.NetNS) error {
		if l.driven {
			return errors.Join(l.attachDriver("client0", l.objs.DiscardFrame), l.attachDriver("backend0", l.objs.DiscardFrame))
		}
		return errors.Join(l.attach("client0", l.objs.Discard), l.attach("backend0", l.objs.Discard))
	})
}

// attachDriver attaches a program to the driver of a link of the calling thread's namespace.
func (l *lab) attachDriver(name string, program *ebpf.Program) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	at, err := link.AttachXDP(link.XDPOptions{Interface: i.Index, Program: program, Flags: link.XDPDriverMode})
	if err != nil {
		return fmt.Errorf("attach %s to the driver of %s: %w", program, name, err)
	}
	l.closers = append(l.closers, at.Close)
	return nil
}

// wire makes a link to the ends, where the neighbours are.
func (l *lab) wire(name, addr string, neighbours ...flow.Addr) error {
	end := netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name, NumTxQueues: 1, NumRxQueues: 1}, PeerName: name, PeerNamespace: netlink.NsFd(l.ends.Fd())}
	if err := netlink.LinkAdd(&end); err != nil {
		return err
	}
	a, err := netlink.ParseAddr(addr)
	if err != nil {
		return err
	}
	if err := errors.Join(netlink.AddrAdd(&end, a), netlink.LinkSetUp(&end)); err != nil {
		return err
	}
	var mac net.HardwareAddr
	err = l.ends.Do(func(ns.NetNS) error {
		peer, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		mac = peer.Attrs().HardwareAddr
		return netlink.LinkSetUp(peer)
	})
	if err != nil {
		return err
	}
	own, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, n := range neighbours {
		err := netlink.NeighAdd(&netlink.Neigh{LinkIndex: own.Attrs().Index, IP: n[:], HardwareAddr: mac, State: netlink.NUD_PERMANENT})
		if err != nil {
			return err
		}
	}
	return nil
}

// load loads the programs of the lab into the kernel.
func (l *lab) load() error {
	spec, err := loadBench()
	if err != nil {
		return err
	}
	i, err := net.InterfaceByName("backend0")
	if err != nil {
		return err
	}
	if err := spec.Variables["redirect_to"].Set(uint32(i.Index)); err != nil {
		return err
	}
	return spec.LoadAndAssign(&l.objs, nil)
}

// attach attaches a program to the ingress of a link of the calling thread's namespace.
func (l *lab) attach(name string, program *ebpf.Program) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	at, err := link.AttachTCX(link.TCXOptions{Interface: i.Index, Program: program, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return fmt.Errorf("attach %s to %s: %w", program, name, err)
	}
	l.closers = append(l.closers, at.Close)
	return nil
}

// route turns on the kernel's forwarding.
func route() error {
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

// nftNAT makes the kernel balance by nftables: round-robin destination NAT to the
// backends, source NAT to one address.
func nftNAT() error {
	if err := route(); err != nil {
		return err
	}
	var turns []string
	for i, b := range backends {
		turns = append(turns, fmt.Sprintf("%d : %s", i, b))
	}
	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader(fmt.Sprintf(`table ip nat {
	chain pre { type nat hook prerouting priority dstnat
		ip daddr %s tcp dport %d dnat to numgen inc mod %d map { %s } : %d
	}
	chain post { type nat hook postrouting priority srcnat
		ip daddr 198.19.0.0/16 snat to %s
	}
}`, vip, servicePort, len(backends), strings.Join(turns, ", "), backendPort, snat))
	if out, err := nft.CombinedOutput(); err != nil {
		return fmt.Errorf("dpbench: nft: %w: %s", err, out)
	}
	return nil
}

// takeFrames makes the links receive frames from the wire without a program in their drivers.
func (l *lab) takeFrames() error {
	return errors.Join(groFrames("client0"), groFrames("backend0"))
}

// groFrames turns GRO on, with which a veth has a receive queue like a NIC's.
func groFrames(link string) error {
	tool, err := ethtool.NewEthtool()
	if err != nil {
		return err
	}
	defer tool.Close()
	return tool.Change(link, map[string]bool{"rx-gro": true})
}
