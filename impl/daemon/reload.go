package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"baton/impl/catalog"
	"baton/impl/daemon/config"
	"baton/impl/dataplane"
	"baton/impl/node"
)

// reloadLimit limits the time of a reload by signal.
const reloadLimit = 10 * time.Second

func (d *daemon) reloadBySignal() {
	ctx, cancel := context.WithTimeout(context.Background(), reloadLimit)
	defer cancel()
	_, _ = d.reload(ctx) // it logs its result
}

// reload applies the services of the configuration file and drops changes made at run time,
// except those of a MASTER that this node follows. Open flows keep their backends while their
// service exists. An error changes nothing.
func (d *daemon) reload(ctx context.Context) (changes []string, err error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.manager.Reloading()
	defer d.manager.Ready()
	file, err := config.Reload(d.opts.ConfigFile, config.Options{AllowUnsafe: d.opts.AllowUnsafe}, d.running)
	if err != nil {
		d.log.Error("reload refused: nothing has changed", "error", err)
		return nil, err
	}
	if d.edits.following.Load() {
		changes, err = d.follow(ctx, file)
	} else {
		_, queued := d.edits.pending()
		changes, err = d.change(ctx, file, editSet{texts: map[string]string{}, queued: queued})
	}
	if err != nil {
		d.loop.fail(callServices, "reload failed: the previous services stay", err)
		return nil, err
	}
	d.file.Store(file)
	for _, change := range changes {
		d.log.Info("reload", "change", change)
	}
	if len(changes) == 0 {
		d.log.Info("reload: the services are the same")
	}
	return changes, nil
}

// takeOver applies the services of a configuration, all or none. The caller holds
// reloading.
func (d *daemon) takeOver(ctx context.Context, next *config.Config) error {
	if err := d.use(ctx, next); err != nil {
		// Some of them may already apply, also if ctx is done.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadLimit)
		defer cancel()
		return errors.Join(err, d.use(ctx, d.running))
	}
	d.balancer.configure(next.Services)
	d.neigh.SetBackends(backends(next))
	d.tellServices(next)
	return nil
}

// use writes a configuration's services into the dataplane and announces its VIPs.
func (d *daemon) use(ctx context.Context, cfg *config.Config) error {
	if err := d.setServices(ctx, cfg); err != nil {
		return err
	}
	return d.setVIPs(ctx, cfg.VIPs())
}

// tellServices tells the loop and the core which services the node has from now on.
func (d *daemon) tellServices(cfg *config.Config) {
	d.loop.inbox.call(func() { d.loop.unserved.configure(cfg) })
	d.loop.inbox.post(node.Services{Catalog: cfg.Catalog()})
}

// setServices writes the services into the dataplane, between two scans of its table and
// outside of the loop.
func (d *daemon) setServices(ctx context.Context, cfg *config.Config) error {
	services, vips := d.balancer.services(cfg.Services), cfg.VIPs()
	written := make(chan error, 1)
	d.loop.inbox.call(func() {
		d.loop.scans.queue(d.loop, func() func() {
			err := d.loop.dp.SetServices(services, vips)
			return func() { written <- err }
		})
	})
	select {
	case err := <-written:
		return err
	case <-d.loop.inbox.closed:
		return errEnded
	case <-ctx.Done():
		return fmt.Errorf("daemon: the services were not written in time: %w", ctx.Err())
	}
}

// configChanges lists how the services of two configurations differ, one per line.
func configChanges(was, is *config.Config) []string {
	changes := serviceChanges(was.Dataplane().Services, is.Dataplane().Services)
	for _, d := range was.Catalog().Compare(is.Catalog()) {
		if d.What == catalog.Check.String() {
			changes = append(changes, "service "+d.Service+": has a different health check")
		}
	}
	return changes
}

// serviceChanges lists how services differ, one per line.
func serviceChanges(was, is []dataplane.Service) []string {
	var changes []string
	tell := func(s dataplane.Service, format string, args ...any) {
		changes = append(changes, "service "+s.Name+": "+fmt.Sprintf(format, args...))
	}
	find := func(list []dataplane.Service, name string) int {
		return slices.IndexFunc(list, func(s dataplane.Service) bool { return s.Name == name })
	}
	for _, s := range is {
		at := find(was, s.Name)
		if at < 0 {
			tell(s, "is new, %v with %d backends", s.Service, len(s.Backends))
			continue
		}
		old := was[at]
		if old.Service != s.Service || old.Mode != s.Mode || old.Balance != s.Balance {
			tell(s, "is %v %v %v, was %v %v %v", s.Service, s.Mode, s.Balance, old.Service, old.Mode, old.Balance)
		}
		if !old.SameSNAT(s) {
			tell(s, "has the SNAT addresses %v, had %v", s.SNATs(), old.SNATs())
		}
		if old.Affinity != s.Affinity {
			tell(s, "keeps a client's backend for %v, was %v", s.Affinity, old.Affinity)
		}
		if old.Limits != s.Limits {
			tell(s, "has the limits %v, had %v", s.Limits, old.Limits)
		}
		for i, b := range s.Backends {
			j := slices.Index(old.Backends, b)
			if j < 0 {
				tell(s, "backend %v:%d is new", b.Addr, b.Port)
			} else if now, before := s.Weight(i), old.Weight(j); now != before {
				tell(s, "backend %v:%d has weight %d, was %d", b.Addr, b.Port, now, before)
			}
		}
		for _, b := range old.Backends {
			if !slices.Contains(s.Backends, b) {
				tell(s, "backend %v:%d gets no new flows", b.Addr, b.Port)
			}
		}
	}
	for _, s := range was {
		if find(is, s.Name) < 0 {
			tell(s, "is gone")
		}
	}
	return changes
}
