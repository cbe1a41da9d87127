package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/impl/flow"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/link"
)

// TestSelectorsOfPackets: kinds and services in front of a selector, in canonical form, and
// the messages for invalid ones.
func TestSelectorsOfPackets(t *testing.T) {
	for line, want := range map[string]string{
		"cut SYN clients->lb1":                              "cut syn clients->lb1",
		"lose 5% web clients<->lb1 via clients":             "lose 0.05 web clients<->lb1 via clients",
		"cut garp lb1->clients":                             "cut garp lb1->clients",
		"cut stream":                                        "cut stream lb1<->lb2",
		"limit arp clients->lb1 rate=30/s":                  "limit arp clients->lb1 rate=30/s",
		"limit sync queue=20ms rate=10mbit":                 "limit lb1<->lb2 via sync rate=10mbit queue=20ms",
		"limit sync mtu=1300 oversize=tell":                 "limit lb1<->lb2 via sync mtu=1300 oversize=tell",
		"lose 5% sync burst=8 bad=80%":                      "lose 0.05 lb1<->lb2 via sync burst=8 bad=0.8",
		"delay 10ms lb1->lb2 via sync jitter=2ms for 100ms": "delay 10ms lb1->lb2 via sync jitter=2ms",
	} {
		p := mustParse(t, preamble+"@1s "+line+"\n@3s end\n")
		if got := steps(p)[len(steps(p))-2:]; !strings.HasSuffix(got[0], " "+want) && !strings.HasSuffix(steps(p)[len(steps(p))-3], " "+want) {
			t.Errorf("%s: %v, want %q", line, got, want)
		}
	}
	for line, want := range map[string]string{
		"cut gurp lb1->clients":               `:9: unknown kind of packets "gurp"; did you mean "garp"?`,
		"cut wob clients->lb1":                `:9: unknown kind of packets "wob"; did you mean "web"?`,
		"cut syn":                             `:5: cut syn: between which hosts? The form is: cut [PACKETS] sync`,
		"limit sync":                          `:5: limit: say rate, queue, mtu or oversize; the form is: limit [PACKETS] sync KEY=VALUE...`,
		"limit sync queue=20ms":               `:5: queue has no effect without rate`,
		"limit sync rate=10":                  `:21: rate: "10" is not a rate such as 10mbit or 30/s; did you mean "10mbit"?`,
		"limit sync rate=1mbit rate=2mbit":    `:27: rate is set twice`,
		"limit sync mtu=90":                   `:20: mtu: 90 is not a whole number from 576 to 1500`,
		"limit sync mtu=90 oversize=drop":     `:20: mtu: 90 is not a whole number from 576 to 1500`,
		"limit sync mtu=900 oversize=tel":     `:33: oversize: "tel" is not drop or tell; did you mean "tell"?`,
		"limit sync speed=3":                  `:16: unknown key of limit "speed"`,
		"cut sync rate=3/s":                   `:14: unexpected "rate"; the form is: cut [PACKETS] sync`,
		"delay 1ms sync jitter=2ms":           `:5: delay: jitter 2ms is not from 0 to the delay 1ms`,
		"lose 50% sync burst=8 bad=40%":       `:5: lose: bursts of 8 packets cannot add up to a loss of 50%`,
		"heal syn lb1->lb2":                   `:5: heal: nothing to heal`,
		"cut syn lb1->lb2\n@2s heal lb2->lb1": `:5: heal lb2->lb1: nothing to heal there`,
		"lose 9% lb1->lb2 for 1s\n@1500ms cut lb1->lb2 for 250ms": `:7:5: nothing to heal at the end: line 8 has healed it by then`,
	} {
		_, found := Check("s.scn", []byte(preamble+"@1s "+line+"\n@3s end\n"))
		if errs := found.Errors(true); len(errs) == 0 || !strings.Contains(fmt.Sprint(errs[0]), want) {
			t.Errorf("%q: %v, want %q", line, errs, want)
		}
	}
}

// TestHowPacketsMatchAService: on the clients' side packets match by VIP and port; behind the node by
// port, and by VIP too if packets keep it.
func TestHowPacketsMatchAService(t *testing.T) {
	p := mustParse(t, preamble+"service direct tcp 198.18.0.102:80 mode=dsr-ipip\n@3s end\n")
	vip := flow.IPv4(198, 18, 0, 100)
	front := lab.Packet{Class: lab.ClassIPv4, Proto: lab.ProtoTCP, Dst: vip, SrcPort: 50000, DstPort: 80}
	other, behind, kept := front, front, front
	other.Dst, behind.Dst, kept.Dst = flow.IPv4(198, 18, 0, 101), flow.IPv4(198, 18, 1, 11), flow.IPv4(198, 18, 0, 102)
	for _, c := range []struct {
		only, link string
		packet     lab.Packet
		want       bool
	}{
		{"web", lab.Clients, front, true}, {"web", lab.Clients, other, false}, {"web", lab.Backends, behind, true},
		{"direct", lab.Backends, kept, true}, {"direct", lab.Backends, behind, false}, {"direct", lab.Clients, kept, true},
		{lab.VIP, lab.Clients, front, true}, {lab.VIP, lab.Clients, other, false}, {"", lab.Clients, other, true},
	} {
		if got := p.Match(c.only, c.link).Has(c.packet); got != c.want {
			t.Errorf("%q on %s has %+v: %v", c.only, c.link, c.packet, got)
		}
	}
}

// TestLinkParametersOfFaults: the parameters that the keys set, and the defaults of omitted keys.
func TestLinkParametersOfFaults(t *testing.T) {
	for line, want := range map[string]link.Params{
		"limit sync rate=10mbit":             {Rate: 10_000_000, Queue: 100 * time.Millisecond},
		"limit sync rate=1.5mbit queue=20ms": {Rate: 1_500_000, Queue: 20 * time.Millisecond},
		"limit sync rate=30/s":               {Packets: 30, Queue: 1},
		"limit sync mtu=1300 oversize=tell":  {MTU: 1300, Tell: true},
		"reorder 5% sync":                    {Reorder: 0.05, HoldBack: 5 * time.Millisecond},
		"reorder 5% sync after=20ms":         {Reorder: 0.05, HoldBack: 20 * time.Millisecond},
		"delay 9ms sync jitter=2ms":          {Delay: 9 * time.Millisecond, Jitter: 2 * time.Millisecond},
		"lose 20% sync burst=8":              {Burst: link.Bursts(0.2, 8, 1, 0)},
	} {
		p := mustParse(t, preamble+"@1s "+line+"\n@3s end\n")
		f := p.Steps[len(p.Steps)-2].Fault
		if got, ok := f.Wire(); !ok || got != want {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
	}
	if _, ok := (Fault{Verb: fault.Lose, Share: 0.1}).Wire(); ok {
		t.Error("a loss of single packets needs no wire")
	}
}

// TestFloodsAndDeafHosts: the defaults of omitted words, and the messages for mistakes.
func TestFloodsAndDeafHosts(t *testing.T) {
	for line, want := range map[string]string{
		"flood syn from client1 rate=1000/s for 2s":      "1s flood syn web from client1 rate=1000/s for 2s",
		"flood syn rate=1000/s from client1 for 2s":      "1s flood syn web from client1 rate=1000/s for 2s",
		"flood garp dns from client1 rate=120/m for 1s":  "1s flood garp dns from client1 rate=2/s for 1s",
		"flood bfd lb2 from client1 rate=50/s for 500ms": "1s flood bfd lb2 from client1 rate=50/s for 500ms",
		"deaf client1, backend1":                         "1s deaf client1 backend1",
	} {
		if got := steps(mustParse(t, preamble+"@1s "+line+"\n@3s end\n")); got[len(got)-2] != want {
			t.Errorf("%s: %q, want %q", line, got[len(got)-2], want)
		}
	}
	for line, want := range map[string]string{
		"flood from client1 rate=1/s for 1s":               `:5: flood of which kind? The form is: flood KIND`,
		"flood sin from client1 rate=1/s for 1s":           `:11: unknown kind of flood "sin"; did you mean "syn"?`,
		"flood syn rate=1/s for 1s":                        `:5: flood from which client? The form is`,
		"flood syn from client1 rate=1/s":                  `:5: flood for how long? The form is`,
		"flood syn from client1 for 1s":                    `:5: flood: say rate; the form is`,
		"flood syn from lb1 rate=1/s for 1s":               `:20: flood lb1: that is a load balancer, but the verb takes a client; the form is`,
		"flood syn from client3 rate=1/s for 1s":           `:20: no host "client3": the topology has clients=1`,
		"flood syn dns from client1 rate=1/s for 1s":       `:15: flood syn: service "dns" is udp, not tcp`,
		"flood syn wub from client1 rate=1/s for 1s":       `:15: unknown service "wub"; did you mean "web"?`,
		"flood garp from client1 rate=1/s for 1s":          `:11: flood garp: to which service? Name one`,
		"flood bfd from client1 rate=1/s for 1s":           `:11: flood bfd: to which node? Use lb1 or lb2`,
		"flood syn from client1 rate=100000/s for 10s":     `: 1000000 packets: a flood has at most 200000`,
		"flood syn from client1 rate=10mbit for 1s":        `: the rate of a flood is a number of packets, such as 1000/s`,
		"flood syn from client1 rate=1/s for 2m":           `:41: for: 2m is outside of 1ms to 60s`,
		"flood syn from client1 rate=1/s every 1s for 10s": `:43: flood takes a rate, not every; the form is`,
		"cut sync from client1":                            `:19: cut takes no from; the form is`,
		"deaf lb1":                                         `:10: deaf lb1: that is a load balancer, but the verb takes a client or backend; the form is: deaf HOST...`,
		"hears client1":                                    `:11: hears client1: there is nothing to undo; it needs an earlier deaf`,
		"deaf client1\n@2s deaf client1":                   `:10: deaf client1: an earlier deaf is still in effect`,
	} {
		_, found := Check("s.scn", []byte(preamble+"@1s "+line+"\n@3s end\n"))
		if errs := found.Errors(true); len(errs) == 0 || !strings.Contains(fmt.Sprint(errs[0]), want) {
			t.Errorf("%q: %v, want %q", line, errs, want)
		}
	}
}
