package bfdio

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// CheckEchoSource rejects a source address of echo packets that could make the peer answer
// with redirects. It must be an address of this system, so that nobody else receives ICMP
// errors, and outside of the link's subnets (RFC 5881 section 4). It checks the calling
// thread's network namespace.
func CheckEchoSource(link string, source netip.Addr) error {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return fmt.Errorf("bfdio: interface %s: %w", link, err)
	}
	subnets, errSubnets := i.Addrs()
	own, errOwn := net.InterfaceAddrs()
	if err := errors.Join(errSubnets, errOwn); err != nil {
		return fmt.Errorf("bfdio: addresses of %s: %w", link, err)
	}
	for _, a := range subnets {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Contains(source) {
			return fmt.Errorf("bfdio: echo packets from %v: it is of %v on %s, so the peer could answer with redirects (RFC 5881 4); give an address of another interface, such as lo", source, p.Masked(), link)
		}
	}
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == source {
			return nil
		}
	}
	return fmt.Errorf("bfdio: echo packets from %v: it is not an address of this system; give one that is", source)
}

// CheckReturns rejects a link over which the kernel would not return a peer's echo packets:
// it must forward, and must not filter by reverse path, since their source is not of the
// link's subnets (RFC 5881 sections 2 and 4). A later change is detected by the sender,
// whose packets it is.
func CheckReturns(link string, v6 bool) error {
	const (
		noForwarding = "so the kernel would not forward the peer's echo packets back (RFC 5880 6.4)"
		filtering    = "so the kernel would discard the peer's echo packets by their source (RFC 5881 2)"
	)
	needs := []need{
		{"ipv4/conf/" + link + "/forwarding", "1", noForwarding},
		{"ipv4/conf/" + link + "/rp_filter", "0", filtering}, // the kernel applies the stricter of the two
		{"ipv4/conf/all/rp_filter", "0", filtering},
	}
	if v6 {
		needs = []need{{"ipv6/conf/all/forwarding", "1", noForwarding}}
	}
	for _, n := range needs {
		if err := n.check(); err != nil {
			return fmt.Errorf("bfdio: return echo packets on %s: %w", link, err)
		}
	}
	return nil
}

// need is a required kernel parameter and what happens otherwise.
type need struct{ file, value, otherwise string }

// check reads the parameter in the calling thread's network namespace.
func (n need) check() error {
	text, err := os.ReadFile(filepath.Join("/proc/sys/net", n.file))
	if err != nil {
		return err
	}
	if value := strings.TrimSpace(string(text)); value != n.value {
		return fmt.Errorf("net.%s is %s, %s; set it to %s", strings.ReplaceAll(n.file, "/", "."), value, n.otherwise, n.value)
	}
	return nil
}
