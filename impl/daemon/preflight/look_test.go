package preflight

import (
	"errors"
	"strings"
	"testing"
	"time"

	"baton/impl/daemon/config"
	"baton/impl/daemon/internal/netlab"
)

// The doctor probes the gateway as the node would: same kind of probe, port and source.
func TestWhyAGatewayDoesNotAnswer(t *testing.T) {
	node, world := netlab.Space(t), netlab.Space(t)
	netlab.In(t, node, func() error {
		if err := netlab.Cable("client0", "eth0", world); err != nil {
			return err
		}
		return netlab.Up("client0", "198.18.0.1/24")
	})
	netlab.In(t, world, func() error { return netlab.Up("eth0", "198.18.0.3/24") })
	arbiter := func(probe config.Probe, host, source string) (a config.Arbiter) {
		a.Gateway, a.Probe = routed(host), probe
		if probe == config.ProbeTCP {
			a.Port = 179
		}
		if source != "" {
			a.Source = routed(source)
		}
		return a
	}
	answers := config.Config{Arbiter: arbiter(config.ProbeICMP, "198.18.0.3", "198.18.0.1")}
	netlab.In(t, node, func() error { // the kernel may delay link-up events while it handles those of others
		why := unreached(t.Context(), &answers)
		for end := time.Now().Add(10 * time.Second); why != "" && time.Now().Before(end); {
			why = unreached(t.Context(), &answers)
		}
		if why != "" {
			return errors.New(why)
		}
		return nil
	})
	for name, test := range map[string]struct {
		arbiter config.Arbiter
		says    string // "" if it answers
	}{
		"no gateway":          {config.Arbiter{}, ""},
		"replies":             {arbiter(config.ProbeICMP, "198.18.0.3", "198.18.0.1"), ""},
		"does not reply":      {arbiter(config.ProbeICMP, "198.18.0.9", ""), "no echo reply within 1s"},
		"pinged from nowhere": {arbiter(config.ProbeICMP, "198.18.0.3", "198.18.0.77"), "198.18.0.77"},
		"refuses":             {arbiter(config.ProbeTCP, "198.18.0.3", ""), ""},
		"does not connect":    {arbiter(config.ProbeTCP, "198.18.0.9", ""), "198.18.0.9:179"},
		"opened from nowhere": {arbiter(config.ProbeTCP, "198.18.0.3", "198.18.0.77"), "198.18.0.77"},
	} {
		netlab.In(t, node, func() error {
			if got := unreached(t.Context(), &config.Config{Arbiter: test.arbiter}); (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
				t.Errorf("%s: %q, want %q", name, got, test.says)
			}
			return nil
		})
	}
}
