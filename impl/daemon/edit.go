package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"baton/impl/catalog"
	"baton/impl/daemon/config"
	"baton/impl/node"
)

// edit changes one service of the running node and of its peer. It returns the changes, one
// per line. An error changes nothing. One edit waits for another, until the peer has it.
func (d *daemon) edit(ctx context.Context, e config.Edit) (changes []string, err error) {
	select {
	case d.editing <- struct{}{}:
		defer func() { <-d.editing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("daemon: other changes are still being made: %w", ctx.Err())
	}
	var service string
	for end := time.Now().Add(peerHasWithin); ; pause(ctx, peerHasEvery) {
		var differs *peerDiffers
		changes, service, err = d.editHere(ctx, e)
		// The peer may not have said yet that it has made the change before.
		if !errors.As(err, &differs) || time.Now().After(end) || ctx.Err() != nil {
			break
		}
	}
	if err != nil || len(changes) == 0 {
		return changes, err
	}
	return append(changes, d.peerHas(ctx, service)), nil
}

// peerDiffers is the refusal of an edit of a service that the peer has otherwise.
type peerDiffers struct {
	peer        string
	differences []catalog.Difference
}

func (e *peerDiffers) Error() string {
	return fmt.Sprintf("peer %s has a different configuration: %s; make the two files equal and reload both nodes", e.peer, catalog.Words(e.differences))
}

func (d *daemon) editHere(ctx context.Context, e config.Edit) (changes []string, service string, err error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if d.edits.following.Load() {
		return nil, "", fmt.Errorf("this node follows the decisions of %s, the MASTER; send the command to it", d.cfg.Peer)
	}
	if _, queued := d.edits.pending(); queued > 0 { // of a MASTER that is gone
		if _, err := d.follow(ctx, d.file.Load()); err != nil {
			return nil, "", err
		}
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
		return nil, "", &peerDiffers{d.cfg.Peer, differ}
	}
	text, err := next.Text(service)
	if err != nil {
		return nil, "", err
	}
	changed := editSet{texts: maps.Clone(d.edits.texts), refused: maps.Clone(d.edits.refused)}
	delete(changed.refused, service)
	if changed.texts[service] = text; d.inFile(service, text) {
		delete(changed.texts, service) // equal to the file again
	}
	changes, err = d.change(ctx, next, changed)
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
