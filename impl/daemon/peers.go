package daemon

import (
	"context"
	"fmt"
	"net"

	"baton/impl/daemon/neigh"
)

// peerFollower makes the kernel resolve the peer on each BFD path.
type peerFollower struct {
	*neigh.Follower
	neighbours []neigh.Neighbour // by path
}

func (d *daemon) countNeighbours() { d.loop.failures.add(callNeighbours) }

func (d *daemon) openPeerFollower() (err error) {
	for _, p := range d.cfg.BFD.Paths {
		link, err := net.InterfaceByName(p.Link)
		if err != nil {
			return fmt.Errorf("path %s: link %s: %w", p.Name, p.Link, err)
		}
		d.peers.neighbours = append(d.peers.neighbours, neigh.Neighbour{Link: link.Index, Addr: p.Peer})
	}
	if d.peers.Follower, err = neigh.NewFollower(d.peers.neighbours, d.log, d.countNeighbours); err != nil {
		return err
	}
	d.onClose(d.peers.Close)
	return nil
}

// followPeers tells the driver on which paths the peer's hardware address is resolved. On
// the others the heartbeat is broadcast.
func (d *daemon) followPeers(ctx context.Context) {
	d.peers.Run(ctx, func(n neigh.Neighbour, mac net.HardwareAddr) {
		d.loop.inbox.call(func() {
			for path, own := range d.peers.neighbours {
				if own == n {
					d.loop.driver.Resolved(path, len(mac) > 0)
				}
			}
		})
	})
}
