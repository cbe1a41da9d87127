package sim_test

import (
	"slices"
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim"
)

// TestFaultsOfAClient: when a client ends, its own sessions count neither as lost, failed nor as
// gaps, and what it opens afterwards is served. The other client, with half of the load, is not
// affected.
func TestFaultsOfAClient(t *testing.T) {
	for _, c := range []struct {
		name, steps string
		broken      int // sessions that end with their client
		opened      int
		claims      string
	}{
		{"a power failure is silent", "@1s crash client1\n@3s restore client1\n", 5, 15, "rst == 0 ; gap(dns) == 0s ; gap(web) == 0s"},
		{"a kill closes at once", "@1s kill client1\n@3s restore client1\n", 5, 15, "gap(dns) == 0s ; gap(web) == 0s"},
		{"a stop ends in order", "@1s stop client1\n@3s restore client1\n", 0, 15, "rst == 0 ; gap(dns) == 0s ; gap(web) == 0s"},
		{"a freeze goes on where it was", "@1s freeze client1\n@5s thaw client1\n", 0, 10, "rst == 0 ; gap(dns) == 0s ; gap(web) == 0s ; rtt_max(web) < 50ms ; rtt_max(new) < 50ms"},
		{"one that is frozen to the end breaks off", "@1s freeze client1\n", 5, 10, "rst == 0"},
		{"one that crashes while it is frozen", "@1s freeze client1\n@2s crash client1\n@3s restore client1\n", 5, 15, "rst == 0"},
		{"a crash of the MASTER is a gap all the same", "@1s crash client1\n@1s crash lb1\n@2s restore client1\n", 5, 15, "gap(dns) > 100ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := "scenario client\ntopo pair clients=2 backends=1\nservice web tcp 198.18.0.100:80\nservice dns udp 198.18.0.100:53\n" +
				"traffic web sessions tcp count=10\ntraffic new connects tcp rate=40/s\ntraffic dns probe udp\ntraffic idle flows udp count=100\ntraffic kept flows tcp count=40\n" +
				"traffic late sessions tcp count=2 from=1500ms\n" +
				"always lost == 0 ; connects_failed == 0 ; unanswered == 0 ; moved == 0 ; " + c.claims + "\n@0s wait lb1 is Master and lb2 insync within 5s\n" + c.steps + "@8s end\n"
			p, err := plan.Parse("client.scn", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, every := range []bool{false, true} {
				v, events := execute(t, p, sim.Config{Seed: 1, EveryPacket: every})
				broken, opened, late := 0, 0, 0
				for _, e := range events {
					if of := e.Totals; of != nil && of.Kind == plan.Flows {
						line := slices.IndexFunc(p.Traffic, func(l plan.Traffic) bool { return l.Name == of.Name })
						if all := p.Traffic[line].Count; of.Sample > all || of.Verified > of.Sample || of.Sessions < 0 {
							t.Errorf("every packet %v: %d of a sample of %d are verified, %d of %d flows are open", every, of.Verified, of.Sample, of.Sessions, all)
						}
					}
					switch tr := e.Traffic; {
					case tr == nil:
					case tr.Name == "web" && tr.Event == trace.TrafficDone && tr.Why != "":
						broken++
					case tr.Name == "web" && tr.Event == trace.TrafficOpened:
						opened++
					case tr.Name == "late" && tr.Event == trace.TrafficOpened:
						late++
					}
				}
				if v.Verdict != check.Pass || broken != c.broken || opened != c.opened {
					t.Errorf("every packet %v: %s, %d broken off, %d opened: %s", every, v.Verdict, broken, opened, strings.Join(v.Reasons, "; "))
				}
				if want := 2; late != want && !strings.HasPrefix(c.name, "one that is frozen") {
					t.Errorf("every packet %v: %d sessions of a line whose time came meanwhile", every, late)
				}
			}
		})
	}
}
