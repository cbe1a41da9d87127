package daemon

import (
	"testing"

	"github.com/vishvananda/netlink"

	"baton/impl/daemon/control"
)

// TestANodeIsHeardByAPeerThatAnswersNoARP: on every path, although it never learnt the
// peer's hardware address, as with one-way loss after a boot.
func TestANodeIsHeardByAPeerThatAnswersNoARP(t *testing.T) {
	p := newPair(t)
	silent := p.nodes[1]
	silent.in(t, func() error {
		for _, name := range []string{"client0", "sync0"} {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetARPOff(link); err != nil {
				return err
			}
		}
		return nil
	})
	for _, n := range p.nodes {
		n.start(t)
	}
	silent.waitStatus(t, "hearing the peer on both paths", func(s control.Status) bool {
		for _, path := range s.Paths {
			if path.Stats.Received == 0 {
				return false
			}
		}
		return s.Peer.Heard
	})
}
