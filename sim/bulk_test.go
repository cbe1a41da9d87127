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

// TestBulkTransfers: transfers of every kind complete, keep their rate and survive a takeover. Those
// cut short because a backend ends are counted.
func TestBulkTransfers(t *testing.T) {
	for _, c := range []struct {
		name, steps string
		incomplete  bool
	}{
		{"undisturbed", "", false},
		{"over a takeover", "@1s crash lb1\n", false},
		{"over a lossy side", "@1s lose 2% clients<->lb1 for 2s\n", false},
		{"with a frozen backend", "@1s freeze backend1 for 500ms\n", false},
		{"with a frozen client", "@1s freeze client1 for 12s\n", false},
		{"with a client that crashes", "@1s crash client1 for 1s\n", false},
		{"with a backend that ends", "@1s kill backend1 for 1s\n", true},
		{"with a backend that is gone for good", "@1s crash backend1\n", true},
	} {
		for _, line := range []string{"way=up", "way=up close=half", "way=down", "way=down close=half"} {
			t.Run(c.name+"/"+line, func(t *testing.T) {
				text := "scenario bulk\ntopo pair backends=2\nservice web tcp 198.18.0.100:80\n" +
					"traffic copy bulk size=400k rate=16mbit count=3 " + line + "\nalways corrupt == 0\n" +
					"@0s wait lb1 is Master and lb2 insync within 5s\n" + c.steps + "@16s end\n"
				p, err := plan.Parse("bulk.scn", []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				v, events := execute(t, p, sim.Config{Seed: 1})
				var total trace.Totals
				for _, e := range events {
					if e.Totals != nil && e.Totals.Final {
						total = *e.Totals
					}
				}
				why := fmt.Sprintf("%s: %+v: %s", v.Verdict, total, strings.Join(v.Reasons, "; "))
				if v.Verdict != check.Pass || total.Lost > 0 != c.incomplete || total.Sessions != 0 || total.Bytes != total.Received*400_000 {
					t.Error(why)
				}
				if c.steps == "" && (total.RTTp50 < 180 || total.RTTp50 > 230 || total.Received < 200) {
					t.Errorf("400 kB at 2 MB/s: %s", why)
				}
			})
		}
	}
}

// TestAnErrorAboutAnOuterPacketReachesNoClient: a link that reports its MTU is a black hole for
// encapsulated packets, and for no others.
func TestAnErrorAboutAnOuterPacketReachesNoClient(t *testing.T) {
	for mode, blackHole := range map[string]bool{"fullnat": false, "dsr-l2": false, "dsr-ipip": true, "dsr-ipip outer=ipv6": true} {
		text := "scenario narrow\ntopo pair backends=2\nservice web tcp 198.18.0.100:80 mode=" + mode +
			"\ntraffic put bulk size=400k rate=16mbit count=2 way=up\nalways corrupt == 0\n" +
			"@0s wait lb1 is Master and lb2 insync within 5s\n@1s limit lb1->backends via backends mtu=1400 oversize=tell\nexpect dropped > 0\n@13s end\n"
		p, err := plan.Parse("narrow.scn", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		v, _ := execute(t, p, sim.Config{Seed: 1})
		if v.Verdict != check.Pass || v.Metrics["incomplete"] > 0 != blackHole {
			t.Errorf("%s: %s, %v transfers are incomplete: %s", mode, v.Verdict, v.Metrics["incomplete"], strings.Join(v.Reasons, "; "))
		}
	}
}

// TestTheSyncStreamIsSentInSegments: a limit at the links' own MTU drops no frame of a snapshot, however long,
// and one below it drops every full segment.
func TestTheSyncStreamIsSentInSegments(t *testing.T) {
	for mtu, passes := range map[int]bool{1500: true, 1499: false} {
		text := fmt.Sprintf("scenario segments\ntopo pair clients=1 backends=2\nservice idle udp 198.18.0.100:53\n"+
			"traffic idle flows udp count=2000 rate=5000/s\n@0s wait lb1 is Master and lb2 insync within 3s\n"+
			"@1s limit sync mtu=%d\n@2s kill lb2\n@3s restore lb2\nexpect lb2 insync within 2s\n@6s end\n", mtu)
		p, err := plan.Parse("segments.scn", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := execute(t, p, sim.Config{Seed: 1}); (v.Verdict == check.Pass) != passes {
			t.Errorf("mtu=%d: %s: %s", mtu, v.Verdict, strings.Join(v.Reasons, "; "))
		}
	}
}
