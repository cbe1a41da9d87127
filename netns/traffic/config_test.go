package traffic

import (
	"net/netip"
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

type nowhere string

func (n nowhere) Name() string          { return string(n) }
func (nowhere) Do(f func() error) error { return f() }

func TestConfigurationIsRefusedWithTheLineAndWhatIsWrong(t *testing.T) {
	sessions := plan.Traffic{Name: "web", Kind: plan.Sessions, Proto: "tcp", Service: "tcp", Count: 1}
	with := func(change func(*plan.Traffic)) plan.Traffic { t := sessions; change(&t); return t }
	tests := []struct {
		line plan.Traffic
		want string
	}{
		{sessions, ""},
		{plan.Traffic{Name: "p", Kind: plan.Probe, Proto: "udp", Service: "udp"}, ""},
		{plan.Traffic{Name: "f", Kind: plan.Flows, Proto: "tcp", Service: "tcp", Count: 10}, ""},
		{with(func(t *plan.Traffic) { t.Kind = "sesions" }), `line "web": kind "sesions" is none of`},
		{with(func(t *plan.Traffic) { t.Proto = "udp" }), `line "web": sessions over "udp", want tcp`},
		{with(func(t *plan.Traffic) { t.Count = 0 }), `line "web": count 0 is not in 1..50000`},
		{with(func(t *plan.Traffic) { t.Count = 1e6 }), `count 1000000`},
		{with(func(t *plan.Traffic) { t.Every = -1 }), `every -1ns is negative`},
		{with(func(t *plan.Traffic) { t.Service = "dns" }), `line "web": no service "dns"`},
		{with(func(t *plan.Traffic) { t.Service = "udp" }), `tcp to service udp, which is udp`},
		{with(func(t *plan.Traffic) { t.Service = "bad" }), `service bad: "198.18.0" is no IP address`},
		{plan.Traffic{Name: "c", Kind: plan.Connects, Proto: "tcp", Service: "tcp"}, `line "c": rate 0 is not in`},
		{plan.Traffic{Name: "c", Kind: plan.Connects, Proto: "tcp", Service: "tcp", Rate: 1e9}, `rate 1e+09 is not in`},
	}
	for _, tt := range tests {
		_, err := New(Config{
			Lines: []plan.Traffic{tt.line}, Clients: []Host{nowhere("client1")},
			Backends: []Backend{{Host: nowhere("backend1"), Addrs: []netip.Addr{netip.MustParseAddr("198.18.1.11")}}},
			Services: []plan.Service{{Name: "tcp", Proto: "tcp", VIP: "198.18.0.100", Port: 80},
				{Name: "udp", Proto: "udp", VIP: "198.18.0.100", Port: 80}, {Name: "bad", Proto: "tcp", VIP: "198.18.0", Port: 80}},
			Record: func(trace.Event) {},
		})
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%+v: %v", tt.line, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%+v: error %v, want one with %q", tt.line, err, tt.want)
		}
	}
}
