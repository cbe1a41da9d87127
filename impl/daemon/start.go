package daemon

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock/boottime"
	"baton/impl/daemon/arpwatch"
	"baton/impl/daemon/bfdio"
	"baton/impl/daemon/checkproc"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/daemon/garp"
	"baton/impl/daemon/metrics"
	"baton/impl/daemon/neigh"
	"baton/impl/daemon/notify"
	"baton/impl/daemon/pki"
	"baton/impl/daemon/poller"
	"baton/impl/daemon/probe"
	"baton/impl/daemon/realtime"
	"baton/impl/daemon/record"
	"baton/impl/daemon/transport"
	"baton/impl/dataplane"
	"baton/impl/dataplane/faulty"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
)

// daemon is a node with its sockets, goroutines and dataplane.
type daemon struct {
	cfg  *config.Config
	core node.Config // the core's configuration, with its discriminators
	opts Options
	log  *slog.Logger
	loop *loop

	ports     bfdio.SourcePorts
	transport *transport.Transport
	garp      *garp.Sender
	arpwatch  *arpwatch.Watcher
	conflicts conflicts
	neigh     *neigh.Keeper
	peers     peerFollower
	probers   []prober // of the tracked targets and the gateway
	checks    *checkproc.Process
	balancer  *balancer
	manager   *notify.Manager
	asker     *controller
	control   *control.Server
	metrics   *metrics.Metrics
	scrapes   net.Listener // nil without metrics

	editing   chan struct{}                 // holds a token during an edit, until the peer has it
	reloading sync.Mutex                    // held during a reload
	running   *config.Config                // cfg with the services applied last
	file      atomic.Pointer[config.Config] // cfg with the services of the file as last read
	edits     *edits                        // how running differs from file
	pins      pins
	stopOnce  sync.Once
	closeOnce sync.Once // closes the dataplane
	closers   []func()  // in the order of opening
}

// start opens everything that can fail, in the calling thread's network namespace.
func start(cfg *config.Config, identity *pki.Identity, opts Options, handler slog.Handler) (*daemon, error) {
	d := &daemon{cfg: cfg, running: cfg, edits: newEdits(), editing: make(chan struct{}, 1), core: nodeConfig(cfg, identity), opts: opts, loop: &loop{now: boottime.Now}}
	d.file.Store(cfg)
	d.openRecords(handler)
	if !opts.Ordinary {
		realtime.Process(d.log)
	}
	for _, open := range []func() error{
		// A second node on the same links ends before it touches the first one's programs and table.
		boottime.CheckHost, d.openLoop, d.openControl, d.tryPaths, func() error { return d.openDataplane(identity) }, d.openPaths, d.openPeerFollower, d.openNeighbours, d.openProbers, d.openBalancer, d.openArbiter, d.openAnnouncer, d.openWatcher,
		func() error { return d.openTransport(identity) }, d.openMetrics,
		// The core comes last: its recovery delay must begin when it can hear and be heard.
		d.openCore,
	} {
		if err := open(); err != nil {
			d.close()
			return nil, fmt.Errorf("daemon: start node %s: %w", cfg.Node, err)
		}
	}
	if !opts.Ordinary {
		realtime.Threads(d.log)
	}
	return d, nil
}

func (d *daemon) onClose(f func()) { d.closers = append(d.closers, f) }

// close undoes start in reverse order.
func (d *daemon) close() {
	for i := len(d.closers) - 1; i >= 0; i-- {
		d.closers[i]()
	}
	d.closers = nil
}

// openRecords starts trace, log and metrics.
func (d *daemon) openRecords(handler slog.Handler) {
	d.asker = &controller{loop: d.loop, stop: d.stop, reload: d.reload, edit: d.edit, admin: d.admin, describe: d.describe}
	d.metrics = metrics.New(d.asker.Status, lateBuckets[:], d.opts.Version)
	records := record.Config{
		Node: d.cfg.Node, Observe: d.metrics.Observe,
		Log: handler.WithAttrs([]slog.Attr{slog.String("node", d.cfg.Node)}),
	}
	if d.opts.TraceFD > 0 {
		unix.CloseOnExec(d.opts.TraceFD) // its reader waits for the end of everybody who holds it
		records.Trace = os.NewFile(uintptr(d.opts.TraceFD), "trace")
	}
	d.loop.recorder = record.New(records)
	d.log = d.loop.recorder.Logger()
	d.loop.log = d.log
	d.manager = notify.New(d.log)
	d.onClose(func() { d.loop.recorder.Close(recordLimit) })
}

func (d *daemon) openLoop() (err error) {
	if d.loop.poller, err = poller.New(); err != nil {
		return err
	}
	d.onClose(d.loop.poller.Close)
	d.loop.inbox = newInbox(d.loop.poller.Wake)
	return nil
}

func (d *daemon) openDataplane(identity *pki.Identity) (err error) {
	cfg := dataplaneConfig(d.cfg, identity)
	if d.loop.dp, err = d.opts.Dataplane(cfg); err != nil {
		return err
	}
	d.pins.found(cfg.Pin, d.loop.dp.Adopted())
	d.pins.look(cfg, d.opts.LeftPins)
	d.pins.warn(d.log)
	d.core.Adopted = d.pins.pedigree
	if d.opts.Breakable {
		d.log.Warn("started with --breakable: the control socket can make dataplane calls fail")
		d.loop.dp = faulty.Wrap(d.loop.dp, cmp.Or(cfg.MaxFlows, dataplane.DefaultMaxFlows))
	}
	d.onClose(d.closeDataplane)
	if bell := d.loop.dp.Doorbell(); bell >= 0 {
		return d.loop.poller.Add(bell)
	}
	return nil
}

func (d *daemon) openPaths() error {
	if d.cfg.BFD.Secret == "" {
		d.log.Warn("the heartbeat is not authenticated: anybody on a path's network can forge it; set bfd.secret on both nodes")
	}
	for i, cfg := range d.cfg.BFD.Paths {
		p := &bfdPath{name: cfg.Name, peer: cfg.Peer}
		if err := d.openPath(p, i); err != nil {
			return err
		}
		d.onClose(func() { p.close() })
		d.loop.paths = append(d.loop.paths, p)
	}
	return nil
}

// tryPaths fails if another node has the heartbeat's addresses. The sockets are opened after the dataplane, which takes a
// while: packets that wait longer would be read late.
func (d *daemon) tryPaths() error {
	for _, p := range d.cfg.BFD.Paths {
		in, err := bfdio.Listen(bfdio.ListenConfig{Local: p.Local, Link: p.Link, Port: bfdio.Port})
		if err != nil {
			return err
		}
		in.Close()
	}
	return nil
}

// openPath opens the sockets of the i-th path.
func (d *daemon) openPath(p *bfdPath, i int) error {
	cfg := d.cfg.BFD.Paths[i]
	in, err := bfdio.Listen(bfdio.ListenConfig{
		Local: cfg.Local, Link: cfg.Link, Port: bfdio.Port, Filter: d.bfdFilter(cfg.Peer, d.core.Paths[i].BFD.LocalDiscr),
	})
	if err != nil {
		return err
	}
	out, err := bfdio.OpenSender(bfdio.Route{Local: cfg.Local, Peer: cfg.Peer, Link: cfg.Link, Port: bfdio.Port}, &d.ports)
	if err != nil {
		in.Close()
		return err
	}
	if drops, err := bfdio.DropsBroadcasts(cfg.Link, cfg.Local.Is6()); drops || err != nil {
		d.log.Warn("the kernel drops heartbeats of a peer that has not resolved this node: set drop_unicast_in_l2_multicast to 0", "link", cfg.Link, "error", err)
	}
	all, err := bfdio.OpenBroadcaster(out)
	if err != nil {
		out.Close()
		in.Close()
		return err
	}
	closeAll := sync.OnceFunc(func() { all.Close(); out.Close(); in.Close() })
	if err := d.loop.poller.Add(in.FD()); err != nil {
		closeAll()
		return err
	}
	p.in, p.out, p.all, p.close = in, out, all, closeAll
	return nil
}

// bfdFilter makes the kernel drop what a path's session would discard; nil if it cannot.
func (d *daemon) bfdFilter(peer netip.Addr, discr uint32) *bfdio.Filter {
	filter, err := bfdio.NewFilter(bfdio.FilterConfig{V6: peer.Is6(), Peer: peer})
	if err == nil {
		err = filter.Allow(discr, bfdio.SendTTL)
	}
	if err != nil {
		d.log.Warn("bfd packets are not filtered by the kernel", "peer", peer, "error", err)
		filter.Close()
		return nil
	}
	return filter
}

func (d *daemon) openNeighbours() (err error) {
	d.neigh, err = neigh.New(neigh.Config{
		ClientLink: d.cfg.Links.Client, BackendLink: d.cfg.Links.Backend, Backends: backends(d.cfg), Log: d.log, Failed: d.countNeighbours,
	})
	if err != nil {
		return err
	}
	d.onClose(d.neigh.Close)
	d.loop.out.client = d.neigh.Note
	return nil
}

// prober probes hosts until its context ends.
type prober interface{ Run(context.Context) }

// openProbers prepares to probe the tracked targets and the gateway, if there are any.
func (d *daemon) openProbers() error {
	for _, other := range []func(netip.Addr) bool{netip.Addr.Is6, netip.Addr.Is4} {
		targets := slices.DeleteFunc(slices.Clone(d.cfg.Track.Targets), other)
		if len(targets) == 0 {
			continue
		}
		if err := d.ping(probe.Config{Targets: targets, Every: time.Duration(d.cfg.Track.Every)}); err != nil {
			return err
		}
	}
	a := &d.cfg.Arbiter
	switch {
	case !a.Gateway.IsValid():
		return nil
	case a.Probe == config.ProbeICMP:
		return d.ping(probe.Config{Targets: []netip.Addr{a.Gateway.Addr}, Source: a.Source.Addr, Every: time.Duration(a.Every)})
	}
	d.probers = append(d.probers, &probe.Connector{
		Target: netip.AddrPortFrom(a.Gateway.Addr, a.Port), Source: a.Source.Addr, Every: time.Duration(a.Every), Log: d.log,
		Report: func(answered bool) { d.probed(a.Gateway.Addr, answered) },
	})
	return nil
}

func (d *daemon) ping(cfg probe.Config) error {
	cfg.Log, cfg.Report = d.log, d.probed
	p, err := probe.New(cfg)
	if err != nil {
		return err
	}
	d.probers = append(d.probers, p)
	d.onClose(p.Close)
	return nil
}

func (d *daemon) probed(target netip.Addr, answered bool) {
	d.loop.inbox.post(node.Probe{Target: target.String(), Answered: answered})
}

// openBalancer creates the balancer of the services.
func (d *daemon) openBalancer() error {
	d.checks = checkproc.New(checkproc.Config{Node: d.cfg.Node, LogFormat: d.opts.LogFormat, Failed: func(err error) {
		d.loop.fail(callChecks, "backends are not checked until the check process runs again", err)
	}})
	d.loop.refusals.tell = func(service flow.Service, why dataplane.Drop, count uint64) {
		d.loop.recorder.Event(trace.Event{At: d.loop.now(), Node: d.cfg.Node, Kind: trace.KindRefused,
			Refused: &trace.Refused{Service: d.balancer.nameOf(service), Why: why.String(), Count: count}})
	}
	d.balancer = newBalancer(d.cfg.Services, d.loop.now, d.checks.Probe, d.note, func(in node.Decided) { d.loop.inbox.post(in) })
	d.loop.out.leads, d.loop.out.balancer, d.loop.out.edits = d.balancer.leaveAll, d.balancer, d.edits
	return nil
}

func (d *daemon) openAnnouncer() (err error) {
	if d.garp, err = garp.Open(d.cfg.VIPs()); err != nil {
		return err
	}
	d.onClose(d.garp.Close)
	d.loop.out.announce = d.garp.Send
	return nil
}

func (d *daemon) openTransport(identity *pki.Identity) (err error) {
	others, err := linksWithout(d.cfg.Sync.Local.Addr(), d.cfg.Links.Client, d.cfg.Links.Backend)
	if err != nil {
		return fmt.Errorf("sync port: %w", err)
	}
	d.transport, err = transport.New(transport.Config{
		ID: d.cfg.Node, Peer: d.cfg.Peer, Local: d.cfg.Sync.Local, Remote: d.cfg.Sync.Peer,
		NotFrom: others,
		TLS:     identity.Peer(d.cfg.Peer), Protocols: protocols(d.cfg.Sync.Version), Log: d.log,
	}, streams{d.loop.inbox})
	if err != nil {
		return err
	}
	d.onClose(d.transport.Close)
	d.loop.out.send, d.loop.out.reset, d.loop.out.heard = d.transport.Send, d.transport.Reset, d.transport.PeerHeard
	return nil
}

func (d *daemon) openMetrics() (err error) {
	if d.cfg.Metrics == "" {
		return nil
	}
	if d.scrapes, err = net.Listen("tcp", d.cfg.Metrics); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	d.onClose(func() { d.scrapes.Close() })
	return nil
}

func (d *daemon) openControl() (err error) {
	if d.control, err = control.Listen(d.cfg.Control, d.asker); err != nil {
		return err
	}
	d.onClose(d.control.Close)
	return nil
}

func (d *daemon) openCore() error {
	core, err := node.New(d.core, d.loop.now())
	if err != nil {
		return err
	}
	d.loop.drive(core)
	return nil
}

// note writes a sentence to trace and log. It is safe for concurrent use.
func (d *daemon) note(text string) {
	d.loop.recorder.Event(trace.Event{At: d.loop.now(), Node: d.cfg.Node, Kind: trace.KindNote, Note: text})
}
