package daemon

import (
	"maps"
	"slices"
	"testing"
	"time"

	"baton/impl/daemon/control"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// TestRefusedFlowsRaiseAnAlarmByService: while they are refused and a minute after, and again.
func TestRefusedFlowsRaiseAnAlarmByService(t *testing.T) {
	web := flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: 80, Proto: flow.TCP}
	dns := flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: 53, Proto: flow.UDP}
	const port = "service web: 3 new flows found no free SNAT port: widen snat_ports, or add backends"
	var r refusals
	began := time.Unix(1000, 0)
	for i, st := range []struct {
		after  time.Duration
		web    dataplane.Refusals
		noted  bool
		alarms []string
	}{
		{0, dataplane.Refusals{NoBackend: 7}, true, nil},
		{time.Second, dataplane.Refusals{NoBackend: 7, NoPort: 3}, true, []string{port}},
		{2 * time.Second, dataplane.Refusals{NoBackend: 7, NoPort: 3}, true, []string{port}},
		{time.Second + alarmFor - 1, dataplane.Refusals{}, false, []string{port}},
		{time.Second + alarmFor, dataplane.Refusals{}, false, nil},
		{2 * time.Minute, dataplane.Refusals{NoBackend: 7, NoPort: 3, TableFull: 1}, true,
			[]string{"service web: 1 new flows found no room in the table: raise max_flows"}},
	} {
		now := began.Add(st.after)
		if st.noted {
			r.note(map[flow.Service]dataplane.Refusals{web: st.web, dns: {}}, now)
		}
		s := control.Status{Services: []control.Service{{Name: "web", At: web.String()}, {Name: "dns", At: dns.String()}, {Name: "new", At: "tcp"}}}
		r.describe(&s, now)
		if !slices.Equal(s.Alarms, st.alarms) {
			t.Errorf("%d: alarms %q, want %q", i, s.Alarms, st.alarms)
		}
		want := map[string]uint64{"no-backend": st.web.NoBackend, "no-port": st.web.NoPort, "table-full": st.web.TableFull}
		if st.noted && !maps.Equal(s.Services[0].Refused, want) {
			t.Errorf("%d: refused %v, want %v", i, s.Services[0].Refused, want)
		}
		if s.Services[2].Refused != nil {
			t.Errorf("%d: a service that is not balanced has %v", i, s.Services[2].Refused)
		}
	}
}
