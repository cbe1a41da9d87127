package traffic

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// Limits of a line. Beyond them the harness would measure itself.
const (
	maxCount      = 50_000    // sessions; the source ports of one client
	maxFlows      = 2_000_000 // idle flows
	maxOpening    = 50_000    // idle flows opened in a second
	maxRate       = 10_000    // connects or probes per second
	defaultProbe  = 1000      // probes per second if the line has no rate
	defaultPeriod = 100 * time.Millisecond
)

func (c *Config) setDefaults() {
	setDefault(&c.GapTCP, 50*time.Millisecond)
	setDefault(&c.GapUDP, 20*time.Millisecond)
	setDefault(&c.Timeouts.Connect, 3*time.Second)
	setDefault(&c.Timeouts.Drain, 5*time.Second)
	setDefault(&c.Timeouts.Late, plan.DefaultTolerate)
	lines := make([]plan.Traffic, len(c.Lines))
	for i, t := range c.Lines {
		if t.Kind == plan.Probe && t.Rate == 0 {
			t.Rate = defaultProbe
		}
		if t.Kind == plan.Flows && t.Rate == 0 {
			t.Rate = plan.FlowsPerSecond
		}
		if t.Kind == plan.Sessions {
			setDefault(&t.Every, defaultPeriod)
		}
		lines[i] = t
	}
	c.Lines = lines
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

func (c *Config) check() error {
	switch {
	case len(c.Clients) == 0:
		return errors.New("traffic: no clients")
	case len(c.Backends) == 0:
		return errors.New("traffic: no backends")
	case c.Record == nil:
		return errors.New("traffic: nowhere to record events")
	}
	for _, t := range c.Lines {
		if err := checkLine(t); err != nil {
			return fmt.Errorf("traffic: line %q: %w", t.Name, err)
		}
	}
	return nil
}

func checkLine(t plan.Traffic) error {
	protos := plan.Protocols(t.Kind)
	switch {
	case len(protos) == 0:
		return fmt.Errorf("kind %q is none of sessions, connects, probe, flows, bulk", t.Kind)
	case !slices.Contains(protos, t.Proto):
		return fmt.Errorf("%s over %q, want %s", t.Kind, t.Proto, strings.Join(protos, " or "))
	case t.Kind == plan.Bulk && (t.Rate <= 0 || t.Size < 1):
		return fmt.Errorf("%d bytes at %v bits per second", t.Size, t.Rate)
	case (t.Kind == plan.Sessions || t.Kind == plan.Flows || t.Kind == plan.Bulk) && (t.Count < 1 || t.Count > most(t)):
		return fmt.Errorf("count %d is not in 1..%d", t.Count, most(t))
	case t.Kind == plan.Flows && !(t.Rate > 0 && t.Rate <= maxOpening):
		return fmt.Errorf("rate %v is not in 0..%d per second", t.Rate, maxOpening)
	case (t.Kind == plan.Connects || t.Kind == plan.Probe) && !(t.Rate > 0 && t.Rate <= maxRate):
		return fmt.Errorf("rate %v is not in 0..%d per second", t.Rate, maxRate)
	case t.Every < 0:
		return fmt.Errorf("every %v is negative", t.Every)
	}
	return nil
}

// most returns the maximum number of sessions or flows of a line.
func most(t plan.Traffic) int {
	if t.Kind == plan.Flows {
		return maxFlows
	}
	return maxCount
}

// target returns the service that a line loads, and its address.
func (c *Config) target(t plan.Traffic) (plan.Service, netip.AddrPort, error) {
	for _, s := range c.Services {
		if s.Name != t.Service {
			continue
		}
		if s.Proto != t.Proto {
			return s, netip.AddrPort{}, fmt.Errorf("traffic: line %q: %s to service %s, which is %s", t.Name, t.Proto, s.Name, s.Proto)
		}
		vip, err := netip.ParseAddr(s.VIP)
		if err != nil {
			return s, netip.AddrPort{}, fmt.Errorf("traffic: service %s: %q is no IP address", s.Name, s.VIP)
		}
		return s, netip.AddrPortFrom(vip, t.PortOf(s)), nil
	}
	return plan.Service{}, netip.AddrPort{}, fmt.Errorf("traffic: line %q: no service %q", t.Name, t.Service)
}

// served returns the services with one port each: a service with a port range is repeated for each
// port that a line uses.
func (c *Config) served() (services []plan.Service) {
	for _, s := range c.Services {
		for _, port := range plan.PortsOf(s, c.Lines) {
			s.Port, s.Last = port, 0
			services = append(services, s)
		}
	}
	return services
}

// responds reports whether a line has TCP flows without sockets.
func (c *Config) responds() bool {
	return slices.ContainsFunc(c.Lines, func(t plan.Traffic) bool { return t.Kind == plan.Flows && t.Proto == plan.TCP })
}

// descriptors returns how many files the lines may have open at once. Both ends of every
// connection are in this process.
func (c *Config) descriptors() int {
	n := 16 * (len(c.Clients) + 1)
	for _, t := range c.Lines {
		switch t.Kind {
		case plan.Connects:
			n += 4 * int(t.Rate*c.Timeouts.Connect.Seconds())
		case plan.Probe:
			n += len(c.Clients)
		case plan.Flows:
			n += 2 * len(c.Clients)
		default:
			n += t.Count
			if t.Proto != plan.UDP {
				n += t.Count
			}
		}
	}
	return n + (len(c.Services)+1+int(lab.Families))*len(c.Backends)
}
