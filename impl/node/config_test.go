package node

import (
	"strings"
	"testing"
	"time"

	"baton/impl/bfd"
)

// A node that is not told what it needs does not begin: with a wrong value it would claim beside its peer, or never.
func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	valid := func() Config {
		return Config{ID: "lb1", Peer: "lb2", Paths: []Path{{Name: "sync", BFD: bfd.Config{LocalDiscr: 1, DesiredMinTxInterval: 5e7, RequiredMinRxInterval: 5e7, DetectMult: 3}}}}
	}
	gateway := Gateway{Name: "gw", Rise: 1, Fall: 1}
	for _, c := range []struct {
		edit func(*Config)
		want string // of the error, "" for none
	}{
		{func(c *Config) {}, ""},
		{func(c *Config) { c.ID = "" }, `id "": length 0 is not 1 to 63`},
		{func(c *Config) { c.ID = strings.Repeat("x", maxID) }, ""},
		{func(c *Config) { c.ID = strings.Repeat("x", maxID+1) }, "length 64 is not 1 to 63"},
		{func(c *Config) { c.Peer = c.ID }, `id and peer are both "lb1"`},
		{func(c *Config) { c.Paths = nil }, "no BFD path to the peer"},
		{func(c *Config) { c.Paths[0].BFD.DetectMult = 0 }, "path sync: bfd: config: DetectMult is 0"},
		{func(c *Config) { c.Track = Track{Targets: []string{"b1"}, Misses: 1} }, ""},
		{func(c *Config) { c.Track = Track{Targets: []string{"b1"}} }, "a target is lost after 0 probes"},
		{func(c *Config) { c.Defer = -1 }, "replies wait for -1ns"},
		{func(c *Config) { c.Arbiter = Arbiter{Validity: time.Second, Policy: KeepServing} }, ""},
		{func(c *Config) { c.Arbiter.Gateway = gateway }, ""},
		{func(c *Config) { c.Arbiter = Arbiter{Validity: time.Second, Gateway: gateway} }, "two arbiters"},
		{func(c *Config) { c.Arbiter.Gateway = Gateway{Name: "gw", Fall: 1} }, "the gateway rises after 0 probes"},
		{func(c *Config) { c.Arbiter.Gateway = Gateway{Name: "gw", Rise: 1} }, "falls after 0: at least 1"},
		{func(c *Config) { c.Arbiter.Policy = KeepServing + 1 }, "unknown policy 2"},
		{func(c *Config) { c.Hold = -time.Second }, "hold -1s is negative"},
		{func(c *Config) { c.Announce.Every = -1 }, "announcements of 0 VIPs every -1ns"},
		{func(c *Config) { c.Announce.Rate = -1 }, "and -1 a second"},
		{func(c *Config) { c.Announce.VIPs = -1 }, "announcements of -1 VIPs"},
		{func(c *Config) { c.Preempt = PreemptImmediate }, ""},
		{func(c *Config) { c.Preempt = PreemptImmediate + 1 }, "unknown preemption"},
	} {
		cfg := valid()
		c.edit(&cfg)
		n, err := New(cfg, 0)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || (n == nil) != (err != nil) {
			t.Errorf("New: %v, want %q", err, c.want)
		}
	}
}
