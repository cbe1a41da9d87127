package daemon

import (
	"context"
	"slices"

	"baton/impl/dataplane"
	"baton/impl/node"
)

// setVIPs changes the VIPs that are announced and watched, after the dataplane answers for
// them. A MASTER announces new ones at once. The caller holds reloading.
func (d *daemon) setVIPs(ctx context.Context, vips []dataplane.VIP) error {
	was := d.running.VIPs()
	added := slices.ContainsFunc(vips, func(v dataplane.VIP) bool { return !slices.Contains(was, v) })
	_, err := ask(ctx, d.loop, func() (struct{}, error) {
		if err := d.garp.SetVIPs(vips); err != nil {
			return struct{}{}, err
		}
		d.loop.step(node.VIPs{Count: len(vips), New: added})
		return struct{}{}, nil
	})
	if err != nil {
		return err
	}
	return d.arpwatch.SetVIPs(vips)
}
