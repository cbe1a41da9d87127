package bpf

import (
	"errors"
	"fmt"
	"time"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

const (
	affinePort = 84
	affinity   = 10 * time.Minute
)

// affine gives a service affinity.
func affine(s dataplane.Service) dataplane.Service {
	s.Affinity = affinity
	return s
}

func affineService(backends ...uint16) dataplane.Service {
	return affine(labService(flow.TCP, affinePort, dataplane.DNAT, dataplane.RoundRobin, backends...))
}

// affinityTests: a client's new flows go to the backend of its last flow.
func affinityTests() []packetTest {
	first, second := toVIP(flow.TCP, 40000, affinePort), toVIP(flow.TCP, 40001, affinePort)
	reply := dnatReply(flow.TCP, 40000, 8081)
	other := tuple(flow.TCP, otherClient, 40000, vipAddr, affinePort)
	otherReply := tuple(flow.TCP, backendAddr, 8082, otherClient, 40000)
	to := func(port uint16) string {
		return entryLine(withLife(flow.AffinityOf(first, address(backendAddr), port), affinity))
	}
	synSent := func(o, r flow.Tuple) string { return line(o, r, flow.SynSent, flow.Opened, 60*time.Second) }
	services := func(of ...dataplane.Service) step {
		return do(func(d dataplane.Dataplane) error { return d.SetServices(of, testConfig().VIPs) })
	}
	others := affine(labService(flow.TCP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, 8082))
	changed := affine(labService(flow.TCP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, 8082, 8083))
	known := flow.AffinityOf(first, address(backendAddr), 8082)
	known.Origin, known.Remaining = flow.Synced, time.Minute
	moving, claiming := known, known // such an affinity would move, and release another flow's reply tuple
	moving.State, claiming.Reply = flow.Established, reply
	forget := do(func(d dataplane.Dataplane) error { return d.Delete([]flow.Tuple{first, second}) })
	return []packetTest{{
		rule: "affinity: a client's second flow goes to the backend of its first, another client gets the next backend",
		steps: []step{
			in(first, syn, forwarded(reply.Reverse())), in(other, syn, forwarded(otherReply.Reverse())),
			in(second, syn, forwarded(dnatReply(flow.TCP, 40001, 8081).Reverse())),
		},
		table: []string{to(8081), synSent(first, reply), synSent(second, dnatReply(flow.TCP, 40001, 8081)), synSent(other, otherReply),
			entryLine(withLife(flow.AffinityOf(other, address(backendAddr), 8082), affinity))},
		events: []string{to(8081), synSent(first, reply),
			entryLine(withLife(flow.AffinityOf(other, address(backendAddr), 8082), affinity)), synSent(other, otherReply),
			synSent(second, dnatReply(flow.TCP, 40001, 8081))},
	}, {
		rule: "affinity: a new flow renews it, and it ends affinity after the last new flow",
		steps: []step{
			in(first, syn, forwarded(reply.Reverse())), forget,
			later(affinity-time.Second, in(second, syn, forwarded(dnatReply(flow.TCP, 40001, 8081).Reverse()))), forget,
			sweep(2*affinity-2*time.Second, 0), sweep(2*affinity-time.Second, 1),
		},
		events: []string{to(8081), synSent(first, reply), synSent(second, dnatReply(flow.TCP, 40001, 8081))},
	}, {
		rule: "affinity: a replicated one chooses the backend until the rest of its time is over",
		steps: []step{
			apply(known), sweep(time.Minute-1, 0),
			in(first, syn, forwarded(dnatReply(flow.TCP, 40000, 8082).Reverse())),
			do(func(d dataplane.Dataplane) error {
				if d.Apply([]flow.Entry{moving}) == nil || d.Apply([]flow.Entry{claiming}) == nil {
					return errors.New("an affinity that no packet could have made was applied")
				}
				return nil
			}),
		},
		table:  []string{entryLine(withLife(known, affinity)), synSent(first, dnatReply(flow.TCP, 40000, 8082))},
		events: []string{synSent(first, dnatReply(flow.TCP, 40000, 8082))},
	}, {
		rule: "affinity: a client whose backend gets no new flows gets another one, and keeps that",
		steps: []step{
			in(first, syn, forwarded(reply.Reverse())), services(affineService(8082, 8083)),
			in(second, syn, forwarded(dnatReply(flow.TCP, 40001, 8082).Reverse())),
			services(affineService(8081, 8082, 8083)), forget,
			in(second, syn, forwarded(dnatReply(flow.TCP, 40001, 8082).Reverse())),
			services(affineService(), others), forget, in(first, syn, "drop no-backend"),
			services(affineService(), changed), forget, in(first, syn, "drop no-backend"), // its backends have the first place now
		},
		table: []string{to(8082)},
		events: []string{to(8081), synSent(first, reply), to(8082), synSent(second, dnatReply(flow.TCP, 40001, 8082)),
			synSent(second, dnatReply(flow.TCP, 40001, 8082))},
	}, {
		rule: "affinity: it ends with its service",
		steps: []step{
			apply(known), services(labService(flow.TCP, affinePort, dataplane.DNAT, dataplane.RoundRobin, 8081)), sweep(0, 1),
			in(first, syn, forwarded(reply.Reverse())),
		},
		table: []string{synSent(first, reply)}, events: []string{synSent(first, reply)},
	}, {
		rule: "affinity: no packet and no ICMP error matches its entry",
		steps: []step{
			apply(known), in(known.Original, syn, "drop malformed"), in(known.Original, ack, "drop malformed"),
			step{link: "client0", frame: errorFrame(clientMAC, address(clientAddr), unreachable, 1,
				fromClient(known.Original.Reverse(), ack), 8), want: "drop malformed"},
			back(known.Reply, ack, "drop miss"),
		},
		table: []string{entryLine(known)},
	}}
}

// sweep sweeps at a time after the beginning, and expects want entries to be removed.
func sweep(after time.Duration, want int) step {
	return do(func(d dataplane.Dataplane) error {
		removed, err := d.Sweep(origin.Add(after), 0)
		if err == nil && len(removed) != want {
			err = fmt.Errorf("%d entries were swept, want %d", len(removed), want)
		}
		return err
	})
}

// withLife gives an entry another remaining lifetime.
func withLife(e flow.Entry, left time.Duration) flow.Entry {
	e.Remaining = left
	return e
}
