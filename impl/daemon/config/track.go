package config

import (
	"net/netip"
	"time"
)

// More than a probe every ten milliseconds would burden the host; less than one a minute would
// detect an outage too late.
const (
	minEvery = 10 * time.Millisecond
	maxEvery = time.Minute
)

// Defaults of the probes of tracked targets and of a gateway.
const (
	defaultEvery  = 100 * time.Millisecond
	defaultMisses = 3 // in a row
)

func checkTrack(d *document, c *Config) error {
	if every := time.Duration(c.Track.Every); every < minEvery || every > maxEvery {
		return d.fail("track.every", "%v is out of range; use %v to %v", every, minEvery, maxEvery)
	}
	if c.Track.Misses == 0 {
		return d.fail("track.misses", "0 is out of range; use 1 to 255")
	}
	lines := map[netip.Addr]int{}
	for i, target := range c.Track.Targets {
		at := index("track.targets", i)
		if err := checkUnicast(d, at, target); err != nil {
			return err
		}
		if first, twice := lines[target]; twice {
			return d.fail(at, "%v is the target on line %d already", target, first)
		}
		lines[target] = d.line(at)
	}
	return nil
}
