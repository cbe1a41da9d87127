package netns

import (
	"errors"
	"fmt"

	"github.com/safchain/ethtool"

	"baton/scenarios/lab"
)

// Features of a link, as ethtool -k names them.
const (
	featureChecksum = "tx-checksum-ip-generic" // the device completes the checksums of outgoing packets
	featureGRO      = "rx-gro"
)

// emulateNICs makes veths behave like NICs to XDP. Clients and backends send packets with complete
// checksums; a veth would pass partial ones on. The switch ports to the nodes have GRO on; without
// it a veth drops the frames that an XDP program redirects to its peer.
func (p *Pair) emulateNICs() error {
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
