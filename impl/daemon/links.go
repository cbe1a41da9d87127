package daemon

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/bfdio"
	"baton/impl/daemon/linkmon"
	"baton/impl/driver"
	"baton/impl/node"
)

// watchLinks reports the carrier of the service links to the core, changed hardware
// addresses to setMAC, links that are up again to the neighbour keeper, and links that were made again to remade.
func (d *daemon) watchLinks(ctx context.Context) {
	service := map[string]bool{d.cfg.Links.Client: true, d.cfg.Links.Backend: true}
	indexes := map[string]int{} // of each link when it was first seen
	broken := func(err error) { d.loop.fail(callLinks, "link monitor restarts", err) }
	linkmon.Watch(ctx, d.cfg.UsedLinks(), broken, func(s linkmon.State) {
		first, seen := indexes[s.Name]
		if !seen {
			first, indexes[s.Name] = s.Index, s.Index
		}
		if !service[s.Name] {
			if s.Index != first && !s.Gone {
				indexes[s.Name] = s.Index
				d.loop.inbox.call(func() { d.remadePath(s.Name, s.Index) })
			}
			return
		}
		if s.Index != first && !s.Gone {
			d.remadeService(s.Name)
			return // no program is attached to it: it serves nobody
		}
		d.loop.inbox.call(func() {
			d.setMAC(s.Name, s.MAC)
			d.loop.step(node.Link{Name: s.Name, Up: s.Up, MAC: macOf(s.MAC)})
		})
		if s.Up {
			d.neigh.Refresh()
		}
	})
}

// remadeService makes the node leave, with an error, because a service link was deleted and made again: programs and
// sockets belong to the link before. A supervisor starts the node again, which then opens the new one.
func (d *daemon) remadeService(link string) {
	err := fmt.Errorf("daemon: %s was deleted and made again; the node must be started again to use it", link)
	d.loop.inbox.call(func() { d.loop.failure = err })
	d.stop(link + " was made again")
}

// remadePath opens the sockets of the paths on a link again, since they belong to the link before, and follows the peer on
// the new one. It runs on the loop.
func (d *daemon) remadePath(link string, index int) {
	for i, p := range d.loop.paths {
		if d.cfg.BFD.Paths[i].Link != link {
			continue
		}
		d.log.Warn("a link was made again: the heartbeat begins anew on it", "link", link, "path", p.name)
		d.peers.Move(d.peers.neighbours[i], index)
		d.peers.neighbours[i].Link = index
		d.loop.driver.Resolved(i, false)
		p.close()
		p.in, p.out, p.all, p.stale = noSockets{}, noSockets{}, noSockets{}, true
	}
	d.reopenPaths()
}

// noSockets are those of a path whose link is not there.
type noSockets struct{}

func (noSockets) Receive() ([]bfdio.Datagram, error)   { return nil, nil }
func (noSockets) Drops() (none bfdio.Drops, err error) { return none, nil }
func (noSockets) Send([]byte) error                    { return unix.ENETDOWN }

// reopenPaths opens the sockets of stale paths. What fails is tried again a tick later: the link may have been deleted once
// more. It runs on the loop.
func (d *daemon) reopenPaths() {
	for i, p := range d.loop.paths {
		if !p.stale {
			continue
		}
		if err := d.openPath(p, i); err != nil {
			d.loop.fail(callReopen, "path "+p.name+" has no heartbeat until its link is there", err)
			continue
		}
		p.stale = false
	}
}

// setMAC makes the dataplane and the announcer use a link's new hardware address, and
// announces it at once. It runs on the loop.
func (d *daemon) setMAC(link string, mac net.HardwareAddr) {
	if len(mac) != 6 {
		return // the link is being removed
	}
	if err := d.loop.dp.SetMAC(link, [6]byte(mac)); err != nil {
		d.loop.fail(callSetMAC, "ARP on "+link+" is answered with the old hardware address", err)
	}
	if changed := d.garp.SetMAC(link, mac); !changed || !d.loop.mayForward() {
		return
	}
	if err := d.garp.SendAll(); err != nil {
		d.loop.fail(driver.Announce.String(), "gratuitous ARP not sent for the new hardware address of "+link, err)
	}
}

// macOf returns a link's Ethernet address, zero if it has none.
func macOf(mac net.HardwareAddr) (out node.MAC) {
	if len(mac) == len(out) {
		out = node.MAC(mac)
	}
	return out
}
