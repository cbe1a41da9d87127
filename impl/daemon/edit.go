package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"baton/impl/catalog"
	"baton/impl/daemon/config"
	"baton/impl/node"
)

// edit changes one service of the running node and of its peer. It returns the changes, one
// per line. An error changes nothing.
func (d *daemon) edit(ctx context.Context, e config.Edit) (changes []string, err error) {
	changes, service, err := d.editHere(ctx, e)
	if err != nil || len(changes) == 0 {
		return changes, err
	}
	return append(changes, d.peerHas(ctx, service)), nil
}

func (d *daemon) editHere(ctx context.Context, e config.Edit) (changes []string, service string, err error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if d.edits.following.Load() {
		return nil, "", fmt.Errorf("this node follows the decisions of %s, the MASTER; send the command to it", d.cfg.Peer)
	}
	next, service, err := d.running.Edit(e)
	if err != nil {
		return nil, "", err
	}
	peer, err := d.peer(ctx)
	if err != nil {
		return nil, "", err
	}
	if differ := differences(peer, service); slices.ContainsFunc(differ, func(x catalog.Difference) bool { return x.What != catalog.OnlyHere }) {
		return nil, "", fmt.Errorf("peer %s has a different configuration: %s; make the two files equal and reload both nodes", d.cfg.Peer, catalog.Words(differ))
	}
	text, err := next.Text(service)
	if err != nil {
		return nil, "", err
	}
	texts := maps.Clone(d.edits.texts)
	if texts[service] = text; d.inFile(service, text) {
		delete(texts, service) // equal to the file again
	}
	changes, err = d.change(ctx, next, texts)
	for _, change := range changes {
		d.log.Info("changed at run time", "change", change)
	}
	return changes, service, err
}

// inFile reports whether text is the service's state in the file.
func (d *daemon) inFile(service, text string) bool {
	filed, err := d.file.Load().Text(service)
	return err == nil && filed == text
}

// differences returns the differences of a service.
func differences(peer node.PeerStatus, service string) []catalog.Difference {
	return slices.DeleteFunc(slices.Clone(peer.Differences), func(x catalog.Difference) bool { return x.Service != service })
}

func (d *daemon) peer(ctx context.Context) (node.PeerStatus, error) {
	return ask(ctx, d.loop, func() (node.PeerStatus, error) { return d.loop.node.Status().Peer, nil })
}

// How long an edit waits for the peer, and how often it checks.
const (
	peerHasWithin = time.Second
	peerHasEvery  = 5 * time.Millisecond
)

// peerHas says whether the peer reports this node's version of a service.
func (d *daemon) peerHas(ctx context.Context, service string) string {
	end := time.Now().Add(peerHasWithin)
	for {
		peer, err := d.peer(ctx)
		switch {
		case err != nil:
			return "peer " + d.cfg.Peer + ": " + err.Error()
		case !peer.Compared:
			return "peer " + d.cfg.Peer + " is not connected or has an older version: it follows later"
		}
		differ := differences(peer, service)
		if len(differ) == 0 {
			return "peer " + d.cfg.Peer + " has the change"
		}
		if time.Now().After(end) {
			return "peer " + d.cfg.Peer + " does not have the change: " + catalog.Words(differ) + "; its log says why"
		}
		pause(ctx, peerHasEvery)
	}
}
