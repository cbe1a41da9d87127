package bpf

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"baton/impl/dataplane"
)

// driver describes the driver of a link.
type driver struct {
	link string
	kind string // of a software link, such as veth; "" for a NIC
	can  xdpFeatures
}

// xdpFeatures are those of enum netdev_xdp_act (linux/netdev.h).
type xdpFeatures uint64

const (
	xdpBasic    xdpFeatures = 1 << 0
	xdpRedirect xdpFeatures = 1 << 1
	xdpTransmit xdpFeatures = 1 << 2 // NETDEV_XDP_ACT_NDO_XMIT: sends what others redirect to it
)

// Of linux/netdev.h.
const (
	netdevFamily      = "netdev"
	netdevCmdDevGet   = 1
	netdevIfindex     = 1
	netdevXdpFeatures = 3
)

// genlHeader is a generic netlink command and its version. The kernel requires the reserved
// bytes to be zero; nl.Genlmsg takes them from adjacent memory.
type genlHeader [4]byte

func (h genlHeader) Len() int          { return len(h) }
func (h genlHeader) Serialize() []byte { return h[:] }

// driverOf asks the kernel about a link's driver.
func driverOf(i *net.Interface) (driver, error) {
	d := driver{link: i.Name}
	l, err := netlink.LinkByIndex(i.Index)
	if err != nil {
		return d, fmt.Errorf("bpf: link %s: %w", i.Name, err)
	}
	if l.Type() != "device" {
		d.kind = l.Type()
	}
	family, err := netlink.GenlFamilyGet(netdevFamily)
	if err != nil {
		return d, fmt.Errorf("bpf: ask for the XDP features of %s: %w", i.Name, err)
	}
	request := nl.NewNetlinkRequest(int(family.ID), 0)
	request.AddData(genlHeader{netdevCmdDevGet, 1})
	request.AddData(nl.NewRtAttr(netdevIfindex, nl.Uint32Attr(uint32(i.Index))))
	answers, err := request.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return d, fmt.Errorf("bpf: ask for the XDP features of %s: %w", i.Name, err)
	}
	for _, answer := range answers {
		attributes, err := nl.ParseRouteAttr(answer[nl.SizeofGenlmsg:])
		if err != nil {
			return d, fmt.Errorf("bpf: read the XDP features of %s: %w", i.Name, err)
		}
		for _, a := range attributes {
			if a.Attr.Type == netdevXdpFeatures {
				d.can = xdpFeatures(binary.NativeEndian.Uint64(a.Value))
			}
		}
	}
	return d, nil
}

// lacks returns which required XDP feature the driver lacks, or "".
func (d driver) lacks() string {
	switch {
	case d.can&xdpBasic == 0 || d.can&xdpRedirect == 0:
		return fmt.Sprintf("the driver of link %s has no native XDP with redirect", d.link)
	case d.can&xdpTransmit == 0 && d.kind == "veth":
		return fmt.Sprintf("link %s cannot send what XDP redirects to it; a veth can if its other end has GRO on (ethtool -K LINK gro on) or an XDP program", d.link)
	case d.can&xdpTransmit == 0:
		return fmt.Sprintf("link %s cannot send what XDP redirects to it: its driver lacks that", d.link)
	}
	return ""
}

// choose returns the hook to use on the links for a configured hook.
func choose(want dataplane.Hook, links ...driver) (dataplane.Attachment, error) {
	if want == dataplane.HookTCX {
		return dataplane.Attachment{}, nil
	}
	for _, d := range links {
		why := d.lacks()
		if why == "" && want == dataplane.HookAuto && d.kind != "" {
			why = fmt.Sprintf("link %s is a %s: its packets come from the kernel, and XDP would take them apart", d.link, d.kind)
		}
		switch {
		case why == "":
		case want == dataplane.HookAuto:
			return dataplane.Attachment{Why: why}, nil
		default:
			return dataplane.Attachment{}, fmt.Errorf("bpf: dataplane xdp: %s; use dataplane: tcx", why)
		}
	}
	return dataplane.Attachment{Hook: dataplane.HookXDP}, nil
}

// HookFor returns how Open would attach the programs to two links of the calling thread's
// network namespace, or why it would refuse.
func HookFor(want dataplane.Hook, client, backend string) (dataplane.Attachment, error) {
	c, err := linkByName(client)
	if err != nil {
		return dataplane.Attachment{}, err
	}
	b, err := linkByName(backend)
	if err != nil {
		return dataplane.Attachment{}, err
	}
	return chooseHook(want, c, b)
}

// chooseHook decides how the programs are attached.
func chooseHook(want dataplane.Hook, links ...*net.Interface) (dataplane.Attachment, error) {
	if want == dataplane.HookTCX {
		return dataplane.Attachment{}, nil
	}
	drivers := make([]driver, len(links))
	for i, l := range links {
		var err error
		if drivers[i], err = driverOf(l); err != nil {
			return dataplane.Attachment{}, err
		}
	}
	return choose(want, drivers...)
}
