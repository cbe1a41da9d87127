package config

import (
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"baton/impl/bfd"
	"baton/impl/dataplane"
	"baton/impl/node"
)

// idPattern is a DNS label: a node's id is the name in its certificate.
var idPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// CheckID returns an error if a text is not a node's id.
func CheckID(id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("%q is not a node id; use lower-case letters, digits and dashes, as in lb1", id)
	}
	return nil
}

func checkNode(d *document, c *Config) error {
	for _, id := range []struct{ path, value string }{{"node", c.Node}, {"peer", c.Peer}} {
		if err := CheckID(id.value); err != nil {
			return d.fail(id.path, "%v", err)
		}
	}
	if c.Node == c.Peer {
		return d.fail("peer", "%q is this node itself; name the other one", c.Peer)
	}
	if err := checkLink(d, "links.client", c.Links.Client); err != nil {
		return err
	}
	if err := checkLink(d, "links.backend", c.Links.Backend); err != nil {
		return err
	}
	if c.Links.Client == c.Links.Backend {
		return d.fail("links.backend", "%q is the client link too; the two links must be two interfaces", c.Links.Backend)
	}
	if c.Control == "" {
		return d.fail("control", "is empty; give the path of the control socket, such as /run/baton/%s.sock", c.Node)
	}
	if _, err := netip.ParseAddrPort(c.Metrics); c.Metrics != "" && err != nil {
		return d.fail("metrics", "%q is not an address and port; write it as 127.0.0.1:9100", c.Metrics)
	}
	return nil
}

// checkLink applies the kernel's own rule for interface names (dev_valid_name).
func checkLink(d *document, path, name string) error {
	if name == "" || len(name) > 15 || name == "." || name == ".." || strings.ContainsAny(name, "/: \t\n\v\f\r") {
		return d.fail(path, "%q is not an interface name; use 1 to 15 characters without space, slash or colon", name)
	}
	return nil
}

// A BFD interval is 32 bits of microseconds on the wire (RFC 5880 4.1); below a
// millisecond no process on a general-purpose kernel keeps it.
const (
	minInterval = time.Millisecond
	maxInterval = math.MaxUint32 * time.Microsecond
)

func checkBFD(d *document, c *Config) error {
	for _, t := range []struct {
		path  string
		value Duration
	}{{"bfd.tx", c.BFD.TX}, {"bfd.rx", c.BFD.RX}} {
		if err := checkInterval(d, t.path, t.value); err != nil {
			return err
		}
	}
	if c.BFD.Mult == 0 {
		return d.fail("bfd.mult", "0 is out of range; use 1 to 255 (RFC 5880 6.8.1)")
	}
	if len(c.BFD.Paths) == 0 {
		return d.fail("bfd.paths", "is empty; add at least one path: name, link, local and peer")
	}
	names := map[string]int{}
	ends := map[bfd.Path]int{}
	for i, p := range c.BFD.Paths {
		at := index("bfd.paths", i)
		if err := checkPath(d, at, p); err != nil {
			return err
		}
		if first, twice := names[p.Name]; twice {
			return d.fail(at+".name", "%q names the path on line %d too; paths need names of their own", p.Name, first)
		}
		names[p.Name] = d.line(at + ".name")
		end := bfd.Path{Interface: p.Link, Remote: p.Peer}
		if first, twice := ends[end]; twice {
			return d.fail(at, "collides with the path on line %d: both are with %v (RFC 5881 3)", first, end)
		}
		ends[end] = d.line(at)
	}
	return nil
}

func checkPath(d *document, at string, p Path) error {
	if p.Name == "" || strings.ContainsAny(p.Name, " \t\n") {
		return d.fail(at+".name", "%q is not a name; use one word, such as sync", p.Name)
	}
	if err := checkLink(d, at+".link", p.Link); err != nil {
		return err
	}
	if err := checkUnicast(d, at+".local", p.Local); err != nil {
		return err
	}
	if err := checkUnicast(d, at+".peer", p.Peer); err != nil {
		return err
	}
	if p.Local == p.Peer {
		return d.fail(at+".peer", "%v is the local address; give the peer's", p.Peer)
	}
	if p.Local.Is4() != p.Peer.Is4() {
		return d.fail(at+".peer", "%v and %v are of different families; both ends of a path need the same (RFC 5881 2)", p.Peer, p.Local)
	}
	return nil
}

// Bounds of the pace of announcements. Intervals below 100µs do not spread frames; above
// 100 ms the last of ten VIPs would stay with the old MASTER for a second.
const (
	minAnnounceEvery = 100 * time.Microsecond
	maxAnnounceEvery = 100 * time.Millisecond
	maxAnnounceRate  = 1000
)

func checkHA(opts Options) func(*document, *Config) error {
	return func(d *document, c *Config) error {
		if c.HA.Priority < 1 || c.HA.Priority > 254 {
			return d.fail("ha.priority", "%d is out of range; use 1 to 254", c.HA.Priority)
		}
		if every := time.Duration(c.HA.AnnounceEvery); every < minAnnounceEvery || every > maxAnnounceEvery {
			return d.fail("ha.announce_every", "%v is out of range; use %v to %v", every, minAnnounceEvery, maxAnnounceEvery)
		}
		if c.HA.AnnounceRate < 1 || c.HA.AnnounceRate > maxAnnounceRate {
			return d.fail("ha.announce_rate", "%d is out of range; use 1 to %d frames a second", c.HA.AnnounceRate, maxAnnounceRate)
		}
		if hold, detect := time.Duration(c.HA.Hold), c.BFD.Detect(); hold < detect {
			return d.fail("ha.hold", "%v is shorter than the detection time %v (bfd.mult × the slower of tx and rx); use at least %v",
				hold, detect, detect)
		}
		if opts.AllowUnsafe {
			return nil
		}
		for _, u := range []struct {
			path, value string
			unsafe      bool
			safe        []string
		}{
			{"ha.preempt", string(c.HA.Preempt), c.HA.Preempt == PreemptImmediate, c.HA.Preempt.offered()},
			{"ha.gates", string(c.HA.Gates), c.HA.Gates == GatesOff, c.HA.Gates.offered()},
			{"ha.announce", string(c.HA.Announce), c.HA.Announce == AnnounceBeforeInstall, c.HA.Announce.offered()},
		} {
			if u.unsafe {
				return d.fail(u.path, "%q is unsafe: it brings a known bug back, for tests; use %s, or start with --allow-unsafe",
					u.value, or(u.safe))
			}
		}
		return nil
	}
}

func checkSync(d *document, c *Config) error {
	if err := checkRouted(d, "sync.local", c.Sync.Local.Addr()); err != nil {
		return err
	}
	if err := checkRouted(d, "sync.peer", c.Sync.Peer.Addr()); err != nil {
		return err
	}
	if err := checkPort(d, "sync.local", c.Sync.Local); err != nil {
		return err
	}
	if err := checkPort(d, "sync.peer", c.Sync.Peer); err != nil {
		return err
	}
	if c.Sync.Local.Addr() == c.Sync.Peer.Addr() {
		return d.fail("sync.peer", "%v is the local address; give the peer's", c.Sync.Peer.Addr())
	}
	if c.Sync.Local.Addr().Is4() != c.Sync.Peer.Addr().Is4() {
		return d.fail("sync.peer", "%v is not of the family of %v", c.Sync.Peer.Addr(), c.Sync.Local.Addr())
	}
	if v := c.Sync.Version; d.has("sync.version") && (v < node.VersionMin || v > node.Version) {
		return d.fail("sync.version", "%d is not a version that this node speaks; use %d to %d, or leave it out", v, node.VersionMin, node.Version)
	}
	if limit := time.Duration(c.Sync.DeferLimit); c.Sync.Defer == DeferEstablished && (limit < minDeferLimit || limit > maxDeferLimit) {
		return d.fail("sync.defer_limit", "%v is out of range; use %v to %v", limit, minDeferLimit, maxDeferLimit)
	}
	return nil
}

func checkPort(d *document, path string, a netip.AddrPort) error {
	if a.Port() == 0 {
		return d.fail(path, "%v has no port; write it as 198.18.2.1:3790 or [2001:2::1]:3790", a)
	}
	return nil
}

// The limit must end before the client's first retransmission, after a second (RFC 6298 2.1).
const (
	minDeferLimit = 100 * time.Microsecond
	maxDeferLimit = 500 * time.Millisecond
)

func checkDataplane(d *document, c *Config) error {
	r := c.SNATPorts
	if r.First < 1024 || r.Last <= r.First {
		return d.fail("snat_ports", "%v is not a range that two nodes can share; use two or more ports from 1024 on, such as 20000-59999", r)
	}
	if c.MaxFlows < 0 || c.MaxFlows > maxFlows {
		return d.fail("max_flows", "%d is out of range; use 0 (the dataplane's own choice) to %d", c.MaxFlows, maxFlows)
	}
	if c.Pin != "" && !filepath.IsAbs(c.Pin) {
		return d.fail("pin", "%q is not an absolute path; use a folder in a bpffs, such as /sys/fs/bpf/baton", c.Pin)
	}
	for _, t := range c.Timeouts.each() {
		if *t.value < 0 || t.value.IsZero() && d.lines["timeouts."+t.name] != 0 {
			return d.fail("timeouts."+t.name, "%v is out of range; use more than 0s", *t.value)
		}
	}
	return nil
}

// maxFlows bounds the table to what 64 GiB of kernel memory could hold.
const maxFlows = 1 << 28

type namedTimeout struct {
	name   string
	value  *Duration
	target *time.Duration
}

func (t *Timeouts) each() []namedTimeout { return t.against(&dataplane.Timeouts{}) }

func (t *Timeouts) against(to *dataplane.Timeouts) []namedTimeout {
	return []namedTimeout{
		{"syn_sent", &t.SynSent, &to.SynSent}, {"established", &t.Established, &to.Established},
		{"fin_wait", &t.FinWait, &to.FinWait}, {"direct_fin_wait", &t.DirectFinWait, &to.DirectFinWait},
		{"closed", &t.Closed, &to.Closed},
		{"unreplied", &t.Unreplied, &to.Unreplied}, {"assured", &t.Assured, &to.Assured},
	}
}

// Dataplane returns the timeouts with the dataplane's defaults where none is given.
func (t Timeouts) Dataplane() dataplane.Timeouts {
	out := dataplane.DefaultTimeouts()
	for _, n := range t.against(&out) {
		if !n.value.IsZero() {
			*n.target = time.Duration(*n.value)
		}
	}
	return out
}

// noHosts are "this network" and what is reserved (RFC 6890), and IPv4-compatible addresses with :: and ::1
// (RFC 4291 2.5.5.1). The dataplane drops packets with such a source.
var noHosts = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("::/96")}

func checkUnicast(d *document, path string, a netip.Addr) error {
	reserved := slices.ContainsFunc(noHosts, func(p netip.Prefix) bool { return p.Contains(a) })
	if !a.IsValid() || reserved || a.IsMulticast() || a.IsLoopback() {
		return d.fail(path, "%v is not an address of a host; use a unicast address", a)
	}
	return nil
}

// checkRouted also refuses an address that is valid on one link only.
func checkRouted(d *document, path string, a netip.Addr) error {
	if a.Is6() && a.IsLinkLocalUnicast() {
		return d.fail(path, "%v is valid on one link only; use a routed address", a)
	}
	return checkUnicast(d, path, a)
}
