package bpf

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

func limitService(l dataplane.Limits) dataplane.Service {
	s := labService(flow.TCP, limitPort, dataplane.DNAT, dataplane.RoundRobin, 8081)
	s.Limits = l
	return s
}

// limitTests: a service and each of its sources have no more flows than their limits.
func limitTests() []packetTest {
	from := func(client string, sport uint16) flow.Tuple {
		return tuple(flow.TCP, client, sport, vipAddr, limitPort)
	}
	replyOf := func(o flow.Tuple) flow.Tuple {
		return flow.Tuple{Proto: o.Proto, Src: address(backendAddr), SrcPort: 8081, Dst: o.Src, DstPort: o.SrcPort}
	}
	opens := func(client string, sport uint16) step {
		o := from(client, sport)
		return in(o, syn, forwarded(replyOf(o).Reverse()))
	}
	refused := func(client string, sport uint16, why string) step { return in(from(client, sport), syn, "drop "+why) }
	answered := func(client string, sport uint16) []step {
		o := from(client, sport)
		return []step{back(replyOf(o), syn|ack, forwarded(o.Reverse())), in(o, ack, forwarded(replyOf(o).Reverse()))}
	}
	known := func(client string, sport uint16, state flow.State) flow.Entry {
		o := from(client, sport)
		return flow.Entry{Original: o, Reply: replyOf(o), State: state, Origin: flow.Synced, Remaining: time.Minute}
	}
	limits := func(l dataplane.Limits) step {
		return do(func(d dataplane.Dataplane) error {
			return d.SetServices([]dataplane.Service{limitService(l)}, testConfig().VIPs)
		})
	}
	swept := sweep(0, 0)
	affinity := flow.AffinityOf(from(otherClient, 41000), address(backendAddr), 8081)
	affinity.Remaining = time.Second
	gone := do(func(d dataplane.Dataplane) error {
		var all []flow.Tuple
		if err := d.Dump(func(e flow.Entry) bool { all = append(all, e.Original); return true }); err != nil {
			return err
		}
		if err := d.Delete(all); err != nil {
			return err
		}
		_, err := d.Poll(dataplane.AllPending, func(flow.Event) {})
		return err
	})
	all := func(lists ...[]step) (steps []step) {
		for _, l := range lists {
			steps = append(steps, l...)
		}
		return append(steps, gone)
	}
	return []packetTest{{
		rule: "source_embryonic: a source without answers opens no more, another source does",
		steps: all([]step{opens(clientAddr, 40000), opens(clientAddr, 40001), refused(clientAddr, 40002, "source-limit"),
			opens(otherClient, 40002), refused(otherClient, 40003, "service-limit")}),
	}, {
		rule: "an answered flow is no longer embryonic",
		steps: all([]step{opens(clientAddr, 40000), opens(clientAddr, 40001)}, answered(clientAddr, 40000),
			[]step{opens(clientAddr, 40002), refused(clientAddr, 40003, "source-limit")}),
	}, {
		rule: "nor if the ACK of its handshake goes by XDP, as what is not the first of its direction does",
		steps: all([]step{opens(clientAddr, 40000), opens(clientAddr, 40001), back(replyOf(from(clientAddr, 40000)), syn|ack, forwarded(from(clientAddr, 40000).Reverse())),
			blindly(7, 7, in(from(clientAddr, 40000), ack, forwarded(replyOf(from(clientAddr, 40000)).Reverse()))),
			in(from(clientAddr, 40000), ack, forwarded(replyOf(from(clientAddr, 40000)).Reverse())),
			opens(clientAddr, 40002), refused(clientAddr, 40003, "source-limit")}),
	}, {
		rule: "source_flows: answered flows count, until a sweep finds them removed",
		steps: all([]step{opens(clientAddr, 40000)}, answered(clientAddr, 40000), []step{opens(clientAddr, 40001)}, answered(clientAddr, 40001),
			[]step{opens(clientAddr, 40002)}, answered(clientAddr, 40002), []step{refused(clientAddr, 40003, "source-limit"), opens(otherClient, 40000),
				gone, refused(clientAddr, 40003, "source-limit"), swept, opens(clientAddr, 40003)}),
	}, {
		rule:  "a limit of the service holds for all of its sources",
		steps: all([]step{limits(dataplane.Limits{Flows: 2}), opens(clientAddr, 40000), opens(otherClient, 40000), refused("198.18.0.13", 40000, "service-limit")}),
	}, {
		rule: "replicated flows count from the next sweep on, and affinities do not",
		steps: all([]step{do(func(d dataplane.Dataplane) error {
			return d.SetServices([]dataplane.Service{affine(limitService(dataplane.Limits{SourceFlows: 2}))}, testConfig().VIPs)
		}), apply(known(clientAddr, 41000, flow.Established), known(clientAddr, 41001, flow.FinWait),
			affinity, known(otherClient, 41000, flow.Established)),
			opens(clientAddr, 40000), swept, refused(clientAddr, 40001, "source-limit"), opens(otherClient, 40001), refused(otherClient, 40002, "source-limit")}),
	}, {
		rule: "what a sweep removes does not count after it",
		steps: all([]step{limits(dataplane.Limits{SourceFlows: 2}), apply(withLife(known(clientAddr, 41000, flow.Established), time.Second), known(clientAddr, 41001, flow.Established)),
			sweep(2*time.Second, 1), opens(clientAddr, 40000), refused(clientAddr, 40001, "source-limit")}),
	}, {
		rule: "limits that are set while flows are open count them from the next sweep on",
		steps: all([]step{limits(dataplane.Limits{}), opens(clientAddr, 40000), opens(clientAddr, 40001), limits(dataplane.Limits{SourceEmbryonic: 2}), swept,
			refused(clientAddr, 40002, "source-limit"), limits(dataplane.Limits{}), opens(clientAddr, 40002)}),
	}, {
		rule: "an answered flow that was not counted makes no room for another one",
		steps: all([]step{limits(dataplane.Limits{}), opens(clientAddr, 40000), limits(dataplane.Limits{Embryonic: 1}), opens(clientAddr, 40001)},
			answered(clientAddr, 40001), answered(clientAddr, 40000), []step{opens(clientAddr, 40002), refused(clientAddr, 40003, "service-limit")}),
	}, {
		rule: "limits that are set again after a sweep without them do not find the counts of before",
		steps: all([]step{limits(dataplane.Limits{SourceFlows: 2}), opens(clientAddr, 40000), opens(clientAddr, 40001), refused(clientAddr, 40002, "source-limit"),
			limits(dataplane.Limits{}), gone, swept, limits(dataplane.Limits{SourceFlows: 2}), opens(clientAddr, 40003), opens(clientAddr, 40004),
			refused(clientAddr, 40005, "source-limit")}),
	}, {
		rule: "nor those that a sweep had counted",
		steps: all([]step{limits(dataplane.Limits{SourceFlows: 2}), opens(clientAddr, 40000), opens(clientAddr, 40001), swept, refused(clientAddr, 40002, "source-limit"),
			limits(dataplane.Limits{}), gone, swept, limits(dataplane.Limits{SourceFlows: 2}), opens(clientAddr, 40003), opens(clientAddr, 40004),
			refused(clientAddr, 40005, "source-limit")}),
	}, {
		rule: "a closed flow that is opened anew is counted already, but is embryonic again",
		steps: all([]step{limits(dataplane.Limits{SourceFlows: 1, Embryonic: 1}), apply(known(clientAddr, 40000, flow.Closed)), swept,
			refused(clientAddr, 40001, "source-limit"), opens(clientAddr, 40000), refused(otherClient, 40000, "service-limit")}),
	}, {
		rule: "so it takes no place of another flow",
		steps: all([]step{limits(dataplane.Limits{Flows: 2, SourceFlows: 2}), apply(known(clientAddr, 40000, flow.Closed)), swept,
			opens(clientAddr, 40000), opens(clientAddr, 40001), refused(clientAddr, 40002, "source-limit"), refused(otherClient, 40000, "service-limit")}),
	}}
}

// TestRefusedFlowsOverALimitAreCountedByService: by the limit that refused them.
func TestRefusedFlowsOverALimitAreCountedByService(t *testing.T) {
	s := limitService(dataplane.Limits{Flows: 3, SourceFlows: 2})
	eachSubject(t, labConfig(s), func(t *testing.T, sut subject) {
		if err := sut.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		for _, tt := range limitRow() {
			fate(t, sut, "client0", fromClient(tt, syn))
		}
		want := dataplane.Refusals{ServiceLimit: 1, SourceLimit: 2}
		if got := refused(t, sut)[s.Service]; got != want {
			t.Errorf("refused %+v, want %+v", got, want)
		}
	})
}

// limitRow returns flows of three sources.
func limitRow() (flows []flow.Tuple) {
	for i, client := range []string{clientAddr, clientAddr, clientAddr, clientAddr, otherClient, "198.18.0.13"} {
		flows = append(flows, tuple(flow.TCP, client, uint16(40000+i), vipAddr, limitPort))
	}
	return flows
}
