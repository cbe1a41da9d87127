package netns

import (
	"errors"
	"fmt"

	"github.com/safchain/ethtool"

	"baton/scenarios/lab"
)

// Features of a link, as ethtool -k names them.
const (
	featureChecksum = "tx-checksum-ip-generic" // what leaves has its checksums completed by the link
	featureGRO      = "rx-gro"
)

// likeNICs makes the lab's links behave as XDP finds NICs: packets come with whole checksums,
// where a veth passes on what its sender left undone, and the switches take what a node's XDP
// program redirects, which the other end of a veth does with GRO on.
func (p *Pair) likeNICs() error {
	var errs []error
	for _, h := range p.hosts {
		switch h.role {
		case RoleSwitch:
			for _, node := range lab.Nodes() {
				errs = append(errs, h.setFeature(node, featureGRO, true))
			}
		case RoleClient, RoleBackend:
			errs = append(errs, h.setFeature(HostSide, featureChecksum, false))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) setFeature(link, feature string, on bool) error {
	err := h.Do(func() error {
		tool, err := ethtool.NewEthtool()
		if err != nil {
			return err
		}
		defer tool.Close()
		return tool.Change(link, map[string]bool{feature: on})
	})
	if err != nil {
		return fmt.Errorf("netns: set %s of %s/%s to %t: %w", feature, h.name, link, on, err)
	}
	return nil
}
