package netns

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/scenarios/lab"
)

// SetLink sets the carrier of every port of a switch, or of the cable, and returns what the
// far ends saw.
func (p *Pair) SetLink(ctx context.Context, link string, up bool) (seen string, err error) {
	if link == lab.Sync {
		return p.SetPort(ctx, lab.Nodes()[0], link, up)
	}
	sw := p.byName[link]
	if sw == nil {
		return "", fmt.Errorf("netns: no link %q", link)
	}
	if seen, err = p.setPlugged(ctx, sw, p.topo.Ports(link), up); err != nil {
		return "", noReceipt("%s: %w", link, err)
	}
	return seen, nil
}

// setPlugged sets the ports of a switch into which hosts are plugged, and returns what was
// seen at the hosts. Their interfaces stay up, and so do their routes.
func (p *Pair) setPlugged(ctx context.Context, sw *Host, hosts []string, up bool) (seen string, err error) {
	for _, host := range hosts {
		port, err := sw.links.LinkByName(host)
		if err != nil {
			return "", fmt.Errorf("find port %s/%s: %w", sw.name, host, err)
		}
		set := sw.links.LinkSetUp
		if !up {
			set = sw.links.LinkSetDown
		}
		if err := set(port); err != nil {
			return "", fmt.Errorf("set port %s/%s: %w", sw.name, host, err)
		}
	}
	var ends []string
	for _, host := range hosts {
		i, _ := p.byName[host].Interface(sw.name)
		if err := p.awaitPlugged(ctx, sw, i, up); err != nil {
			return "", err
		}
		ends = append(ends, host+"/"+i.Name)
	}
	return fmt.Sprintf("carrier %s on %s", map[bool]string{true: "up", false: "down"}[up], strings.Join(ends, ", ")), nil
}

// awaitPlugged waits until an interface has noticed its switch port's change. An interface
// that is down itself never gets carrier.
func (p *Pair) awaitPlugged(ctx context.Context, sw *Host, i Interface, up bool) error {
	return poll(ctx, func() (bool, string, error) {
		here, err := p.byName[i.Host].links.LinkByName(i.Name)
		if err != nil {
			return false, "", err
		}
		port, err := sw.links.LinkByName(i.Host)
		if err != nil {
			return false, "", err
		}
		carries := here.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
		if here.Attrs().Flags&net.FlagUp == 0 {
			return true, "", nil
		}
		ready := !up || here.Attrs().OperState == netlink.OperUp && port.Attrs().OperState == netlink.OperUp
		return carries == up && ready, fmt.Sprintf("%s/%s: carrier %v, state %v", i.Host, i.Name, carries, here.Attrs().OperState), nil
	})
}
