package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
)

// NewHost makes a host without a pair: a namespace with only loopback, IPv6 on. Join two of
// them by a Cable; Close each.
func NewHost(name string) (*Host, error) {
	h, err := newHost(blueprint{name: name})
	if err != nil {
		return nil, err
	}
	h.thread.do(func() { err = allowIPv6() })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("netns: make namespace %s: %w", name, err), h.release())
	}
	return h, nil
}

// allowIPv6 turns IPv6 on and duplicate address detection off: a tentative address cannot
// be bound to.
func allowIPv6() error {
	for key, value := range map[string]string{"disable_ipv6": "0", "accept_dad": "0"} {
		for _, scope := range []string{"all", "default", "lo"} {
			if err := os.WriteFile(fmt.Sprintf("/proc/sys/net/ipv6/conf/%s/%s", scope, key), []byte(value), 0); err != nil {
				return fmt.Errorf("write sysctl: %w", err)
			}
		}
	}
	return nil
}

// End is one end of a Cable: a host's interface and its addresses.
type End struct {
	Host  *Host
	Name  string
	Addrs []netip.Prefix
}

// Cable joins two hosts without a pair by a veth, both ends up and with addresses. Closing
// either host deletes it.
func Cable(a, b End) error {
	attrs := netlink.NewLinkAttrs()
	// Indexes that differ: see syncIndex.
	attrs.Name, attrs.Index, attrs.Group = a.Name, syncIndex+a.Host.cables, linkGroup
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: b.Name, PeerNamespace: netlink.NsFd(int(b.Host.space.Fd()))}
	if err := a.Host.links.LinkAdd(veth); err != nil {
		return fmt.Errorf("netns: add veth %s/%s - %s/%s: %w", a.Host.name, a.Name, b.Host.name, b.Name, err)
	}
	a.Host.cables++
	for _, end := range []End{a, b} {
		err := end.Host.linkUp(end.Name)
		for _, addr := range end.Addrs {
			err = errors.Join(err, end.Host.configure(Interface{Name: end.Name, Addr: addr}))
		}
		if err != nil {
			return fmt.Errorf("netns: connect %s: %w", end.Host.name, err)
		}
	}
	return nil
}

// Close kills the host's processes and releases the namespace.
func (h *Host) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	var errs []error
	for _, p := range h.Processes() {
		_, err := p.Kill(ctx)
		errs = append(errs, err)
	}
	if !h.closed {
		errs = append(errs, h.removeLinks())
	}
	return errors.Join(append(errs, h.release())...)
}
