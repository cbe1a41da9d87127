package daemon

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync"
	"time"

	"baton/impl/daemon/metrics"
	"baton/impl/daemon/realtime"
	"baton/impl/node"
)

// streams passes the events of sync streams to the loop.
type streams struct{ inbox *inbox }

func (s streams) StreamUp(id uint64, protocol string) {
	s.inbox.post(node.Stream{ID: id, Up: true, Version: versionOf(protocol)})
}

func (s streams) StreamDown(id uint64, why string) { s.inbox.post(node.Stream{ID: id, Why: why}) }

func (s streams) StreamFrame(id uint64, payload []byte) {
	s.inbox.postBulk(node.Message{Stream: id, Data: payload})
}

// stop asks the node to leave, and ends it if it does not in time.
func (d *daemon) stop(why string) {
	d.stopOnce.Do(func() {
		d.log.Info("node stops", "why", why)
		d.manager.Stopping()
		d.loop.inbox.post(node.Stop{})
		time.AfterFunc(stopLimit, func() {
			d.loop.inbox.call(func() {
				if !d.loop.ended {
					d.log.Warn("node did not leave in time", "limit", stopLimit)
					d.loop.ended = true
				}
			})
		})
	})
}

// run runs the node until it has left.
func (d *daemon) run() error {
	defer d.close()
	ctx, cancel := context.WithCancel(context.Background())
	var helpers sync.WaitGroup
	for _, helper := range []func(context.Context){
		d.transport.Run, d.neigh.Run, d.followPeers, d.arpwatch.Run, d.control.Serve, d.serveMetrics, d.watchLinks, d.watchEvents, d.tick, d.probe,
		d.checks.Run, d.balancer.run, d.writeBackends, d.followEdits, d.supervise,
	} {
		helpers.Go(func() { helper(ctx) })
	}
	d.tellServices(d.running)
	d.loop.inbox.post(node.Dataplane{Ready: true})
	err := d.runLoop()
	// Whatever ended the loop, the node must not forward any more.
	err = errors.Join(err, d.loop.dp.Lease(d.loop.now()))
	d.transport.Flush(flushLimit)
	cancel()
	d.closeDataplane() // ends watchEvents
	helpers.Wait()
	return err
}

// closeDataplane closes the dataplane when nothing uses it any more.
func (d *daemon) closeDataplane() {
	d.closeOnce.Do(func() {
		d.loop.scans.wait()
		if err := d.loop.dp.Close(); err != nil {
			d.log.Error("dataplane not closed", "error", err)
		}
	})
}

// runLoop runs the loop on its own thread until it ends.
func (d *daemon) runLoop() error {
	ended := make(chan error, 1)
	go func() {
		// Never unlocked: the thread has a priority that no other goroutine should have,
		// and ends with this one.
		runtime.LockOSThread()
		if !d.opts.Ordinary {
			realtime.LoopThread(d.log)
		}
		ended <- d.loop.run()
	}()
	return <-ended
}

// eventPause lets flow events accumulate after a read: the first of many leaves at once,
// the others together.
const eventPause = time.Millisecond

// watchEvents makes the loop read flow events whenever some are pending, one input at a
// time, so that the loop can do other work in between.
func (d *daemon) watchEvents(ctx context.Context) {
	for ctx.Err() == nil {
		err := d.loop.dp.Wait()
		if errors.Is(err, io.EOF) {
			return // closed after ctx was done
		}
		if err != nil {
			d.loop.fail(callWait, "waiting for flow events failed", err)
		}
		for more := err == nil; more; {
			more, err = ask(ctx, d.loop, d.loop.pollEvents)
		}
		rest := eventPause
		if err != nil && ctx.Err() == nil && !errors.Is(err, errEnded) {
			d.log.Error("flow events not read", "error", err)
			rest = time.Second
		}
		pause(ctx, rest)
	}
}

// probe probes the tracked targets and the gateway.
func (d *daemon) probe(ctx context.Context) {
	var running sync.WaitGroup
	for _, p := range d.probers {
		running.Go(func() { p.Run(ctx) })
	}
	running.Wait()
}

// tick makes the loop do its periodic work.
func (d *daemon) tick(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, time.Duration(sweepEvery))
		d.loop.inbox.call(d.loop.tick)
		d.loop.inbox.call(d.reopenPaths)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// serveMetrics serves Prometheus until ctx is done.
func (d *daemon) serveMetrics(ctx context.Context) {
	if d.scrapes == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", d.metrics.Handler())
	mux.Handle("/healthz", metrics.Health(d.asker.Status))
	mux.Handle("/readyz", metrics.Ready(d.asker.Status))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(d.scrapes); err != nil && !errors.Is(err, http.ErrServerClosed) {
		d.log.Error("metrics not served", "error", err)
	}
}
