package daemon

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/daemon/control"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// TestRefusedFlowsRaiseAnAlarmByService: the alarm lasts until a minute after the last refusal, and returns.
func TestRefusedFlowsRaiseAnAlarmByService(t *testing.T) {
	web := flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: 80, Proto: flow.TCP}
	dns := flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: 53, Proto: flow.UDP}
	const port = "service web: 3 new flows found no free SNAT port: add addresses to snat_pool, widen snat_ports, or add backends"
	const named = "service web: 3 new flows found no free SNAT port, and 198.18.0.11 has the most flows, 9: add addresses to snat_pool, widen snat_ports, or add backends"
	used := map[flow.Service]dataplane.PortUse{web: {Backend: dataplane.Backend{Addr: flow.IPv4(198, 18, 1, 11), Port: 80}, Used: 7, Ports: 8}}
	var r refusals
	began := time.Unix(1000, 0)
	for i, st := range []struct {
		after  time.Duration
		web    dataplane.Refusals
		noted  bool
		alarms []string
		named  bool // the source with the most flows is looked for, and found
	}{
		{0, dataplane.Refusals{NoBackend: 7}, true, nil, false},
		{time.Second, dataplane.Refusals{NoBackend: 7, NoPort: 2}, true, []string{strings.Replace(port, "3", "2", 1)}, true},
		{2 * time.Second, dataplane.Refusals{NoBackend: 7, NoPort: 3}, true, []string{named}, false},
		{time.Second + alarmFor, dataplane.Refusals{}, false, []string{named}, false},
		{2*time.Second + alarmFor, dataplane.Refusals{}, false, nil, false},
		{2 * time.Minute, dataplane.Refusals{NoBackend: 7, NoPort: 3, TableFull: 1}, true,
			[]string{"service web: 1 new flows found no room in the table: raise max_flows"}, false},
		{4 * time.Minute, dataplane.Refusals{NoBackend: 7, NoPort: 3, TableFull: 1, ServiceLimit: 2, SourceLimit: 5}, true,
			[]string{"service web: 5 new flows were over the limits of their source, 2 over those of the service, and 198.18.0.11 has the most flows, 9"}, true},
		{6 * time.Minute, dataplane.Refusals{NoBackend: 7, NoPort: 3, TableFull: 1, ServiceLimit: 2, SourceLimit: 6}, true,
			[]string{"service web: 6 new flows were over the limits of their source, 2 over those of the service, and 198.18.0.11 has the most flows, 9"}, true},
		{8 * time.Minute, dataplane.Refusals{NoBackend: 7, NoPort: 3, TableFull: 1, ServiceLimit: 2, SourceLimit: 6, Challenged: 4}, true,
			[]string{"service web: 4 SYNs were challenged, because its flows without an answer reached limits.syn_challenge: a SYN flood, or backends that do not answer"}, false},
		{8*time.Minute + alarmFor, dataplane.Refusals{NoBackend: 7, NoPort: 3, TableFull: 1, ServiceLimit: 2, SourceLimit: 6, Challenged: 4}, true, nil, false},
	} {
		now := began.Add(st.after)
		if st.noted {
			exhausted := r.note(map[flow.Service]dataplane.Refusals{web: st.web, dns: {}}, used, now)
			if slices.Contains(exhausted, web) != st.named || len(exhausted) > 1 {
				t.Errorf("%d: to be counted by source: %v", i, exhausted)
			}
		}
		s := control.Status{Services: []control.Service{{Name: "web", At: web.String()}, {Name: "dns", At: dns.String()}, {Name: "new", At: "tcp"}}}
		r.describe(&s, now)
		if st.named {
			if _, got := r.name(web, busiest{flow.IPv4(198, 18, 0, 11), 9}); got != used[web] {
				t.Errorf("ports in use: %v", got)
			}
		}
		if p := s.Services[0].Ports; p == nil || *p != (control.PortUse{Backend: "198.18.1.11:80", Used: 7, Ports: 8}) {
			t.Errorf("%d: ports in use %v", i, p)
		}
		if !slices.Equal(s.Alarms, st.alarms) {
			t.Errorf("%d: alarms %q, want %q", i, s.Alarms, st.alarms)
		}
		want := map[string]uint64{"no-backend": st.web.NoBackend, "no-port": st.web.NoPort, "table-full": st.web.TableFull, "service-limit": st.web.ServiceLimit, "source-limit": st.web.SourceLimit,
			"challenged": st.web.Challenged}
		if st.noted && !maps.Equal(s.Services[0].Refused, want) {
			t.Errorf("%d: refused %v, want %v", i, s.Services[0].Refused, want)
		}
		if s.Services[2].Refused != nil {
			t.Errorf("%d: a service that is not balanced has %v", i, s.Services[2].Refused)
		}
	}
}

// TestRefusalsStartAgainWithTheirService: a reload that changes a service creates it anew, with counts of zero. Only refusals
// by the new service raise its alarm.
func TestRefusalsStartAgainWithTheirService(t *testing.T) {
	web := flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: 80, Proto: flow.TCP}
	for _, kind := range []struct {
		alarm string
		count func(n uint64) dataplane.Refusals
	}{
		{"found no free SNAT port", func(n uint64) dataplane.Refusals { return dataplane.Refusals{NoPort: n} }},
		{"were over the limits of their source", func(n uint64) dataplane.Refusals { return dataplane.Refusals{SourceLimit: n} }},
		{"were challenged", func(n uint64) dataplane.Refusals { return dataplane.Refusals{Challenged: n} }},
		{"found no room in the table", func(n uint64) dataplane.Refusals { return dataplane.Refusals{TableFull: n} }},
	} {
		var r refusals
		alarms := func(now time.Time) []string {
			s := control.Status{Services: []control.Service{{Name: "web", At: web.String()}}}
			r.describe(&s, now)
			return s.Alarms
		}
		note := func(n uint64, now time.Time) {
			r.note(map[flow.Service]dataplane.Refusals{web: kind.count(n)}, nil, now)
		}
		at := time.Unix(1000, 0)
		note(5, at)
		if got := alarms(at); len(got) != 1 || !strings.Contains(got[0], "5 ") || !strings.Contains(got[0], kind.alarm) {
			t.Errorf("%s: alarms %q", kind.alarm, got)
		}
		at = at.Add(2 * alarmFor)
		note(1, at) // changed: the count has begun anew, and fewer are refused than before
		if got := alarms(at); len(got) != 0 {
			t.Errorf("%s: fewer than before, of a service that is new: alarms %q", kind.alarm, got)
		}
		at = at.Add(time.Second)
		note(2, at)
		if got := alarms(at); len(got) != 1 || !strings.Contains(got[0], "2 ") {
			t.Errorf("%s: one more: alarms %q", kind.alarm, got)
		}
		at = at.Add(time.Second)
		r.note(nil, nil, at) // the service is gone
		if got := alarms(at); len(got) != 0 {
			t.Errorf("%s: of a service that is gone: alarms %q", kind.alarm, got)
		}
		note(0, at) // and back
		if got := alarms(at); len(got) != 0 {
			t.Errorf("%s: of a service that is back: alarms %q", kind.alarm, got)
		}
	}
}

// TestRefusedFlowsAreToldOnce: each refusal is reported once, by its reason. Counts that a pin kept from
// an earlier process are not reported again.
func TestRefusedFlowsAreToldOnce(t *testing.T) {
	web := flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: 80, Proto: flow.TCP}
	told := map[dataplane.Drop]uint64{}
	r := refusals{tell: func(_ flow.Service, why dataplane.Drop, count uint64) { told[why] += count }}
	for _, counts := range []dataplane.Refusals{{SourceLimit: 7}, {SourceLimit: 7}, {SourceLimit: 9, TableFull: 1}, {SourceLimit: 9, TableFull: 1}, {SourceLimit: 2}} {
		r.note(map[flow.Service]dataplane.Refusals{web: counts}, nil, time.Unix(1000, 0))
	}
	// The last counts are those of a service that was made anew.
	if want := map[dataplane.Drop]uint64{dataplane.DropSourceLimit: 4, dataplane.DropTableFull: 1}; !maps.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}
