package bfdbench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"baton/netns"
	"baton/netns/peers"
)

// frrNice is the niceness of FRR's daemons in Debian's frr.service.
const frrNice = -5

// frrLink is the interface at both ends of FRR's cable.
const frrLink = "cable0"

var frrAddrs = [2]netip.Prefix{netip.MustParsePrefix("198.18.9.1/30"), netip.MustParsePrefix("198.18.9.2/30")}

// frrPair is two bfdd with one session between them.
type frrPair struct {
	hosts   []*netns.Host
	daemons []*peers.FRR
}

func startFRR(ctx context.Context, o Options) (f *frrPair, err error) {
	f = &frrPair{}
	for i := range 2 {
		host, err := netns.NewHost(fmt.Sprintf("frr%d", i+1))
		if err != nil {
			return f, err
		}
		f.hosts = append(f.hosts, host)
	}
	end := func(i int) netns.End {
		return netns.End{Host: f.hosts[i], Name: frrLink, Addrs: []netip.Prefix{frrAddrs[i]}}
	}
	if err := netns.Cable(end(0), end(1)); err != nil {
		return f, err
	}
	for i, host := range f.hosts {
		config := fmt.Sprintf("bfd\n peer %s interface %s\n  receive-interval %d\n  transmit-interval %d\n  detect-multiplier %d\n !\n!\n",
			frrAddrs[1-i].Addr(), frrLink, o.Interval.Milliseconds(), o.Interval.Milliseconds(), o.DetectMult)
		daemon, err := peers.StartFRR(ctx, host, config)
		if err != nil {
			return f, err
		}
		f.daemons = append(f.daemons, daemon)
		if err := ordinary(daemon.Process().PID(), frrNice); err != nil {
			return f, err
		}
	}
	return f, nil
}

// await waits until both ends are up.
func (f *frrPair) await(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		up, err := f.up(ctx, o)
		if up || err != nil {
			return err
		}
		if err := pass(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("bfdbench: FRR does not come up: %w", err)
		}
	}
}

// up reports whether both ends are up with the configured interval.
func (f *frrPair) up(ctx context.Context, o Options) (bool, error) {
	for _, d := range f.daemons {
		sessions, err := d.Sessions(ctx)
		if err != nil {
			return false, err
		}
		if len(sessions) != 1 || sessions[0].Status != "up" || int64(sessions[0].RemoteTransmitInterval) != o.Interval.Milliseconds() {
			return false, nil
		}
	}
	return true, nil
}

// flaps returns how often a session has left Up, summed over both ends.
func (f *frrPair) flaps(ctx context.Context) (int, error) {
	downs := 0
	for _, d := range f.daemons {
		counters, err := d.Counters(ctx)
		if err != nil {
			return 0, err
		}
		for _, c := range counters {
			downs += int(c.SessionDown)
		}
	}
	return downs, nil
}

func (f *frrPair) close(ctx context.Context) error {
	var errs []error
	for _, d := range f.daemons {
		errs = append(errs, d.Close(ctx))
	}
	for _, h := range f.hosts {
		errs = append(errs, h.Close(ctx))
	}
	return errors.Join(errs...)
}
