package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim"
)

// associations runs 100 sessions and short associations of SCTP in a mode under a fault.
func associations(t *testing.T, vip, mode, fault string) (check.Verdict, trace.Totals, trace.Totals, []trace.Event) {
	t.Helper()
	src := fmt.Sprintf(`scenario s
topo     pair clients=1 backends=2
service  gw sctp %s:5000 mode=%s
traffic  long sessions sctp count=100 every=100ms
traffic  new connects sctp rate=50/s
traffic  served connects sctp rate=20/s close=server ports=10
always   corrupt == 0 ; moved == 0
@0s      wait lb1 is Master and lb2 insync within 3s
@1s      %s
@6s      end
`, vip, mode, fault)
	p, err := plan.Parse("s.scn", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	v, events := execute(t, p, sim.Config{Seed: 1})
	var long, brief trace.Totals
	for _, e := range events {
		if e.Totals != nil && e.Totals.Final {
			if e.Totals.Name == "long" {
				long = *e.Totals
			} else {
				brief.Failed += e.Totals.Failed
				brief.Opened += e.Totals.Opened
			}
		}
	}
	return v, long, brief, events
}

func aborts(events []trace.Event, origin string) (n int) {
	for _, e := range events {
		if e.RST != nil && e.RST.Origin == origin {
			n++
		}
	}
	return n
}

func TestAssociationsOutliveTakeoversInEveryMode(t *testing.T) {
	for _, mode := range []string{"fullnat", "dnat", "dsr-l2", "dsr-ipip"} {
		for _, vip := range []string{"198.18.0.100", "[2001:2::100]"} {
			for _, fault := range []string{"crash lb1", "handover lb1", "duplicate 20% client1<->lb1 via clients for 3s", "freeze backend1 for 1s"} {
				v, long, brief, events := associations(t, vip, mode, strings.Replace(fault, "20%", "0.2", 1))
				if v.Verdict != check.Pass || long.Opened != 100 || long.Lost+long.Failed+brief.Failed != 0 || brief.Opened < 250 || long.Received != long.Sent {
					t.Errorf("%s %s, %s: %s: %s; %+v, %+v", mode, vip, fault, v.Verdict, strings.Join(v.Reasons, "; "), long, brief)
				}
				for _, e := range events {
					if e.RST != nil {
						t.Errorf("%s %s, %s: %s", mode, vip, fault, e.RST.Flow)
						break
					}
				}
			}
		}
	}
}

// Lost packets are retransmitted after RTO.Min, or once three SACKs have reported the gap.
func TestLostMessagesAreRepeated(t *testing.T) {
	_, long, _, events := associations(t, "198.18.0.100", "fullnat", "lose 5% client1<->lb1 via clients for 3s")
	if long.Lost != 0 || long.Received != long.Sent {
		t.Errorf("%+v", long)
	}
	early, late := 0, 0
	for _, e := range events {
		switch g := e.Gap; {
		case g == nil || g.Name != "long":
		case g.To.Sub(g.From) < 500e6:
			early++
		case g.To.Sub(g.From) > 999e6:
			late++
		}
	}
	if early < 100 || late > early/2 {
		t.Errorf("%d messages were repeated early, %d after a timeout", early, late)
	}
}

// A backend that has rebooted aborts unknown associations. One whose programs have ended shuts its
// associations down and refuses new ones.
func TestBackendsThatEndTheirAssociations(t *testing.T) {
	_, long, _, events := associations(t, "198.18.0.100", "fullnat", "crash backend1 for 1s")
	if n := aborts(events, "backend1"); long.Lost < 40 || n < 40 {
		t.Errorf("after a crash %d are lost, %d ABORTs", long.Lost, n)
	}
	_, long, brief, events := associations(t, "198.18.0.100", "dnat", "kill backend1")
	closed := 0
	for _, e := range events {
		if e.Traffic != nil && e.Traffic.Event == trace.TrafficLost && e.Traffic.Why == "closed by the other end" {
			closed++
		}
	}
	if n := aborts(events, "backend1"); long.Lost < 40 || closed != long.Lost || n < 100 || brief.Failed < 100 {
		t.Errorf("after their end %d are lost, %d of them closed, %d connects fail, %d ABORTs", long.Lost, closed, brief.Failed, n)
	}
}

// While no backend serves, the dataplane answers an INIT with an ABORT.
func TestAssociationsAreRefusedWhileNoBackendServes(t *testing.T) {
	p, err := plan.Parse("s.scn", []byte(`scenario s
topo     pair clients=1 backends=2
config   check.type=port check.interval=100ms check.timeout=50ms check.fall=1 check.all_down=refuse
service  gw sctp 198.18.0.100:5000 mode=dnat
traffic  new connects sctp rate=100/s
@0s      wait lb1 is Master and lb2 insync within 3s
@1s      crash backend1
         crash backend2
@4s      end
`))
	if err != nil {
		t.Fatal(err)
	}
	_, events := execute(t, p, sim.Config{Seed: 1})
	refused := 0
	for _, e := range events {
		if e.Traffic != nil && e.Traffic.Event == trace.TrafficFailed && e.Traffic.Why == "connection reset by peer" {
			refused++
		}
	}
	if n := aborts(events, "lb1"); n < 200 || refused != n {
		t.Errorf("%d connects were refused by %d ABORTs of the MASTER", refused, n)
	}
}
