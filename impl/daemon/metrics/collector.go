package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"baton/impl/bfd"
	"baton/impl/daemon/control"
	"baton/impl/dataplane"
	"baton/impl/ha"
	"baton/impl/health"
	"baton/impl/node"
)

// scrapeTimeout limits how long a scrape waits for the node.
const scrapeTimeout = time.Second

// collector converts one status to samples at each scrape, so that they are consistent.
type collector struct {
	source     Source
	lateBounds []time.Duration
	all        []*prometheus.Desc

	answering, role, epoch, complete, incarnation, gate, gateFor, lease                                                          *prometheus.Desc
	peerKnown, peerRole, stream, streamEnds, alarms, peerCompared, peerDiffers                                                   *prometheus.Desc
	claims, answers                                                                                                              *prometheus.Desc
	bfdState, bfdDetect, bfdTransmit, bfdSent, bfdReceived                                                                       *prometheus.Desc
	bfdDropped, bfdSendErrors, bfdGap                                                                                            *prometheus.Desc
	syncPhase, syncEntries, syncTotal, syncRatio, syncLag, syncRefused, peerCapacity                                             *prometheus.Desc
	syncUnserved                                                                                                                 *prometheus.Desc
	syncRate, syncTook, inSync, degraded, pairInSync, flows, readDue, readFailed                                                 *prometheus.Desc
	scrubs, damage, unhealed                                                                                                     *prometheus.Desc
	packets, bytes, drops, created, adopted, arp, eventsLost, unproven, echo, icmp                                               *prometheus.Desc
	hook, xdp, xdpLeft                                                                                                           *prometheus.Desc
	pinned, adoptedEntries, resets, relayed, evicted                                                                             *prometheus.Desc
	fragments                                                                                                                    *prometheus.Desc
	backendState, backendWeight, backendDisagrees, probes, probeFailures, probesUndecided, serving, refused, snatUsed, snatPorts *prometheus.Desc
	steps, late, lateMax, recordsDropped, failures                                                                               *prometheus.Desc
	arbiterAnswers, arbiterAlone                                                                                                 *prometheus.Desc
	deferred, undeferred, deferEnds, deferWaiting, deferWaited                                                                   *prometheus.Desc
}

func newCollector(source Source, lateBounds []time.Duration) *collector {
	c := &collector{source: source, lateBounds: lateBounds}
	desc := func(d **prometheus.Desc, name, help string, labels ...string) {
		*d = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
		c.all = append(c.all, *d)
	}
	desc(&c.answering, "up", "Whether the node's event loop answers.")
	desc(&c.role, "role", "1 for the role that the node has, 0 for the others.", "role")
	desc(&c.epoch, "epoch", "Epoch of the node's connection table.")
	desc(&c.complete, "table_complete", "Whether the table was complete at its epoch.")
	desc(&c.incarnation, "incarnation_info", "Identifies this run of the node.", "node", "incarnation")
	desc(&c.gate, "gate_open", "Whether a gate before the MASTER role is open.", "gate")
	desc(&c.gateFor, "gate_state_seconds", "How long a gate has been open, or closed.", "gate")
	desc(&c.lease, "lease_remaining_seconds", "How long forwarding is still allowed; 0 if it is not.")

	desc(&c.peerKnown, "peer_known", "Whether the peer's role is known.")
	desc(&c.peerRole, "peer_role", "1 for the role that the peer says it has, 0 for the others.", "role")
	desc(&c.peerCompared, "peer_services_compared", "Whether the peer has said what it balances.")
	desc(&c.peerDiffers, "peer_service_differs", "1 for each part of a service that the peer is configured with otherwise.", "service", "what")
	desc(&c.stream, "sync_stream_up", "Whether the sync stream to the peer is established.")
	desc(&c.streamEnds, "sync_stream_ends_total", "Sync streams that ended and attempts to get one that failed, by cause.", "cause")
	desc(&c.claims, "vip_foreign_claims_total", "ARP packets by which a host that is not of this pair claimed a VIP.", "vip", "link")
	desc(&c.answers, "vip_foreign_claims_answered_total", "Announcements with which this node answered such claims.", "vip", "link")
	desc(&c.alarms, "alarms", "How many things baton status raises an alarm about.")

	desc(&c.bfdState, "bfd_state", "1 for the state that the session of a path is in, 0 for the others.", "path", "state")
	desc(&c.bfdDetect, "bfd_detection_time_seconds", "Negotiated detection time of a path.", "path")
	desc(&c.bfdTransmit, "bfd_transmit_interval_seconds", "Negotiated transmit interval of a path.", "path")
	desc(&c.bfdSent, "bfd_packets_sent_total", "BFD control packets sent.", "path")
	desc(&c.bfdReceived, "bfd_packets_received_total", "BFD control packets accepted.", "path")
	desc(&c.bfdDropped, "bfd_packets_dropped_total", "BFD control packets dropped, by reason.", "path", "reason")
	desc(&c.bfdSendErrors, "bfd_send_errors_total", "BFD control packets that the kernel refused to send.", "path")
	desc(&c.bfdGap, "bfd_receive_gap_max_seconds", "Longest time between two accepted packets of a session that was Up.", "path")

	desc(&c.syncPhase, "sync_phase", "1 for the phase that connection sync is in.", "phase")
	desc(&c.syncEntries, "sync_entries", "Entries that the receiver of connection sync has.")
	desc(&c.syncTotal, "sync_source_entries", "Entries that the source of connection sync has, as far as is known.")
	desc(&c.syncRatio, "sync_progress_ratio", "Part of the snapshot that has been applied.")
	desc(&c.syncLag, "sync_lag_changes", "Changes that have not taken hold at the receiver.")
	desc(&c.syncRefused, "sync_refused_entries", "Synced entries that the dataplane goes on refusing, by reason.", "reason")
	desc(&c.syncUnserved, "sync_unserved_entries_total", "Synced entries that this node's configuration would not have made, by reason, counted while the peer's services differ.", "reason")
	desc(&c.peerCapacity, "sync_peer_capacity_flows", "Flows that the peer's table can hold; 0 if it has not said.")
	desc(&c.syncRate, "sync_rate_entries_per_second", "Entries applied per second.")
	desc(&c.syncTook, "sync_took_seconds", "Time from the stream's establishment to the table being in sync.")
	desc(&c.inSync, "in_sync", "Whether the gate InSync is open.")
	desc(&c.degraded, "degraded", "Whether the node serves with a table that it knows to be incomplete.")
	desc(&c.pairInSync, "pair_in_sync", "Whether the node that does not serve holds the whole table of the one that does.")
	desc(&c.flows, "flows", "Entries of the connection table, as the core mirrors it.")
	desc(&c.pinned, "pinned_table", "1 for what became of the table in the pin folder at the start, 0 for the others; why is empty unless it was refused.", "outcome", "why")
	desc(&c.adoptedEntries, "pinned_table_entries", "Entries of the pinned table that the node began with.")
	desc(&c.readDue, "dataplane_read_due", "Whether the dataplane may hold flows that the core has not counted.")
	desc(&c.readFailed, "dataplane_read_failures_total", "Drains and dumps of the dataplane that failed.")

	desc(&c.arbiterAnswers, "arbiter_answers", "Whether the arbiter has answered the last question.")
	desc(&c.arbiterAlone, "serving_without_arbiter", "Whether the node serves without peer and arbiter (policy keep-serving): its peer may serve too.")

	desc(&c.deferEnds, "deferred_replies_total", "Deferred replies by what has ended their wait: acked, timed-out, no-peer, full, or dropped.", "end")
	desc(&c.deferWaiting, "deferred_replies_waiting", "Deferred replies that wait for the peer's acknowledgement.")
	desc(&c.deferWaited, "deferred_replies_wait_seconds_total", "Time that replies have waited for an acknowledgement that came.")

	desc(&c.scrubs, "scrubs_total", "Times that the whole dataplane was compared with the mirrored table.")
	desc(&c.damage, "scrub_damage_total", "Damage that scrubbing has found: entries that the dataplane lacked, had too much or had otherwise, and parts of the mirrored table.", "kind")
	desc(&c.unhealed, "scrub_unhealed_total", "Damaged entries of a MASTER that could not be written back, because another flow has their ports: their flows are gone.")

	desc(&c.packets, "dataplane_packets_total", "Packets forwarded.", "direction")
	desc(&c.hook, "dataplane_hook", "1 for the hook at which the programs forward established flows, 0 for the others.", "hook")
	desc(&c.xdp, "dataplane_xdp_packets_total", "Of the packets forwarded, those that went by XDP.", "direction")
	desc(&c.xdpLeft, "dataplane_xdp_left_total", "Packets to or from a VIP that XDP left to TCX, by reason.", "why")
	desc(&c.bytes, "dataplane_bytes_total", "Bytes forwarded.", "direction")
	desc(&c.drops, "dataplane_packets_dropped_total", "Packets to a VIP that were dropped, by reason.", "reason")
	desc(&c.created, "dataplane_flows_created_total", "Flows opened by their first packet.")
	desc(&c.adopted, "dataplane_flows_adopted_total", "Flows adopted from the middle.")
	desc(&c.arp, "dataplane_arp_replies_total", "ARP requests for a VIP that were answered.")
	desc(&c.fragments, "dataplane_fragments_total", "IP fragments that were forwarded.")
	desc(&c.echo, "dataplane_echo_replies_total", "Pings of a VIP that were answered.")
	desc(&c.icmp, "dataplane_icmp_errors_total", "ICMP errors sent about a packet that had gone too far, was too big, or found no backend (all_down: refuse).")
	desc(&c.relayed, "dataplane_relayed_packets_total", "Packets that were forwarded to the peer: during a handover, and on a BACKUP from hosts that have not heard the announcement of the MASTER.")
	desc(&c.resets, "dataplane_resets_total", "RSTs and ABORTs sent to clients of a service without a backend that serves (all_down: refuse).")
	desc(&c.evicted, "dataplane_evicted_total", "Entries of flows that nobody had answered, removed before their timeout because the table was under pressure.")
	desc(&c.deferred, "dataplane_deferred_total", "Replies that were held back until the peer has their flow (sync.defer).")
	desc(&c.undeferred, "dataplane_undeferred_total", "Replies that were to be held back and were forwarded at once, because they were too large or the ring buffer was half full.")
	desc(&c.unproven, "dataplane_segments_unproven_total", "RSTs, FINs and SYNs of a flow, or ABORTs, SHUTDOWNs and INITs, that were forwarded and changed no state.")
	desc(&c.eventsLost, "dataplane_events_lost_total", "Flow events for which there was no room.")

	desc(&c.serving, "service_backends_serving", "Backends of a service that get new flows.", "service")
	desc(&c.refused, "service_flows_refused_total", "New flows of a service that were dropped, by reason, since it was configured.", "service", "reason")
	desc(&c.snatUsed, "service_snat_ports_used", "SNAT ports in use to the backend of a service with the most flows, of this node's half, as the MASTER counts them once a second.", "service")
	desc(&c.snatPorts, "service_snat_ports", "SNAT ports that the flows to one backend of a service can use: this node's half of snat_ports for each SNAT address.", "service")
	desc(&c.backendState, "backend_state", "1 for the state that a backend is in, 0 for the others.", "service", "backend", "state")
	desc(&c.backendWeight, "backend_weight", "Configured weight of a backend.", "service", "backend")
	desc(&c.backendDisagrees, "backend_disagrees", "Whether this node's probes contradict what the MASTER has decided of a backend.", "service", "backend")
	desc(&c.probes, "backend_probes_total", "Probes of a backend that have ended.", "service", "backend")
	desc(&c.probeFailures, "backend_probe_failures_total", "Probes of a backend that failed.", "service", "backend")
	desc(&c.probesUndecided, "backend_probes_undecided_total", "Probes of a backend that have shown nothing: no port unreachable so soon after another, or a check process that was late or has ended.", "service", "backend")

	desc(&c.steps, "loop_steps_total", "Inputs that the event loop has given to the core.")
	desc(&c.late, "loop_lateness_seconds", "How long after the core's deadline the event loop came to it.")
	desc(&c.lateMax, "loop_lateness_max_seconds", "The longest of these since the start.")
	desc(&c.failures, "call_failures_total", "Calls of the dataplane and the network that failed.", "call")
	desc(&c.recordsDropped, "records_dropped_total", "Trace events and log lines for which there was no room.")
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.all {
		ch <- d
	}
}

// Collect implements prometheus.Collector. A loop that does not answer yields only baton_up
// 0.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	status, err := c.source(ctx)
	out := samples(ch)
	out.gauge(c.answering, number(err == nil))
	if err != nil {
		return
	}
	c.collectNode(out, status.Status)
	c.collectPaths(out, status)
	c.collectSync(out, status.Status)
	c.collectDataplane(out, status.Dataplane)
	for _, hook := range []dataplane.Hook{dataplane.HookTCX, dataplane.HookXDP} {
		out.gauge(c.hook, number(status.Hook.Name == hook.String()), hook.String())
	}
	c.collectServices(out, status.Services)
	c.collectLoop(out, status.Loop)
	for cause, n := range status.Stream.Ends {
		out.counter(c.streamEnds, n, cause)
	}
	for _, conflict := range status.Conflicts {
		out.counter(c.claims, conflict.Count, conflict.VIP.String(), conflict.Link)
		out.counter(c.answers, conflict.Answered, conflict.VIP.String(), conflict.Link)
	}
	c.collectPinned(out, status)
	out.gauge(c.alarms, float64(len(status.Alarms)))
}

func (c *collector) collectNode(out samples, s node.Status) {
	for role := ha.Init; role.Valid(); role++ {
		out.gauge(c.role, number(s.Role == role.String()), role.String())
		out.gauge(c.peerRole, number(s.Peer.Role == role.String()), role.String())
	}
	out.gauge(c.epoch, float64(s.Epoch))
	out.gauge(c.complete, number(s.Complete))
	out.gauge(c.incarnation, 1, s.Node, hex(s.Incarnation))
	for _, gate := range s.Gates {
		out.gauge(c.gate, number(gate.Open), gate.Name)
		out.gauge(c.gateFor, gate.For.Seconds(), gate.Name)
	}
	out.gauge(c.lease, max(s.Lease, 0).Seconds())
	out.gauge(c.peerKnown, number(s.Peer.Known))
	out.gauge(c.stream, number(s.Peer.Stream))
	out.gauge(c.peerCompared, number(s.Peer.Compared))
	for _, d := range s.Peer.Differences {
		out.gauge(c.peerDiffers, 1, d.Service, d.What)
	}
}

func (c *collector) collectPinned(out samples, s control.Status) {
	if s.Pinned == nil {
		return
	}
	for _, outcome := range control.PinOutcomes {
		why := ""
		if outcome == s.Pinned.Outcome {
			why = s.Pinned.Why
		}
		out.gauge(c.pinned, number(outcome == s.Pinned.Outcome), outcome, why)
	}
	if s.Adopted != nil {
		out.gauge(c.adoptedEntries, float64(s.Adopted.Entries))
	}
}

func (c *collector) collectPaths(out samples, s control.Status) {
	for _, p := range s.Paths {
		for state := bfd.AdminDown; state <= bfd.Up; state++ {
			out.gauge(c.bfdState, number(p.State == state.String()), p.Name, state.String())
		}
		out.gauge(c.bfdDetect, p.Detection.Seconds(), p.Name)
		out.gauge(c.bfdTransmit, p.Transmit.Seconds(), p.Name)
		out.counter(c.bfdSent, p.Stats.Sent, p.Name)
		out.counter(c.bfdReceived, p.Stats.Received, p.Name)
		for reason, n := range p.Stats.Drops {
			out.counter(c.bfdDropped, n, p.Name, bfd.Drop(reason).String())
		}
		out.counter(c.bfdDropped, s.Loop.UnexpectedSource[p.Name], p.Name, "source")
		out.counter(c.bfdSendErrors, s.Loop.SendErrors[p.Name], p.Name)
		out.gauge(c.bfdGap, p.Stats.ReceiveGapMax.Seconds(), p.Name)
	}
}

func (c *collector) collectSync(out samples, s node.Status) {
	out.gauge(c.syncPhase, 1, s.Sync.Phase)
	out.gauge(c.syncEntries, float64(s.Sync.Entries))
	out.gauge(c.syncTotal, float64(s.Sync.Total))
	out.gauge(c.syncRatio, s.Sync.Percent/100)
	out.gauge(c.syncLag, float64(s.Sync.Lag))
	for _, r := range s.Sync.Refused {
		out.gauge(c.syncRefused, float64(r.Entries), r.Why)
	}
	out.gauge(c.peerCapacity, float64(s.Sync.PeerCapacity))
	out.gauge(c.syncRate, s.Sync.Rate)
	out.gauge(c.syncTook, s.Sync.Took.Seconds())
	out.gauge(c.inSync, number(s.InSync))
	out.gauge(c.degraded, number(s.Degraded))
	out.gauge(c.pairInSync, number(s.PairInSync))
	out.gauge(c.flows, float64(s.Flows))
	out.gauge(c.readDue, number(s.Read.Due))
	out.counter(c.readFailed, s.Read.Failed)
	out.counter(c.scrubs, s.Scrub.Scrubs)
	for kind, found := range s.Scrub.ByKind {
		out.counter(c.damage, found, kind)
	}
	out.counter(c.unhealed, s.Scrub.Unhealed)
	c.collectDeferred(out, s.Defer)
	if a := s.Arbiter; a != nil {
		out.gauge(c.arbiterAnswers, number(a.Answers))
		out.gauge(c.arbiterAlone, number(a.Alone))
	}
}

// collectDeferred: a node that does not defer replies has none of these.
func (c *collector) collectDeferred(out samples, s *node.DeferStatus) {
	if s == nil {
		return
	}
	for end, n := range map[string]uint64{"acked": s.Acked, "timed-out": s.TimedOut, "no-peer": s.NoPeer, "full": s.Full, "dropped": s.Dropped} {
		out.counter(c.deferEnds, n, end)
	}
	out.gauge(c.deferWaiting, float64(s.Waiting))
	out.seconds(c.deferWaited, s.Waited)
}

func (c *collector) collectDataplane(out samples, s control.Counters) {
	out.counter(c.packets, s.ForwardedOriginal, "original")
	out.counter(c.packets, s.ForwardedReply, "reply")
	out.counter(c.bytes, s.BytesOriginal, "original")
	out.counter(c.bytes, s.BytesReply, "reply")
	out.counter(c.xdp, s.XDPOriginal, "original")
	out.counter(c.xdp, s.XDPReply, "reply")
	for why, n := range s.XDPLeft {
		out.counter(c.xdpLeft, n, why)
	}
	for reason, n := range s.Dropped {
		out.counter(c.drops, n, reason)
	}
	out.counter(c.created, s.Created)
	out.counter(c.adopted, s.Adopted)
	out.counter(c.arp, s.ARPReplies)
	out.counter(c.fragments, s.Fragments)
	out.counter(c.echo, s.EchoReplies)
	out.counter(c.icmp, s.ICMPErrors)
	out.counter(c.resets, s.Resets)
	out.counter(c.relayed, s.Relayed)
	out.counter(c.evicted, s.Evicted)
	out.counter(c.deferred, s.Deferred)
	out.counter(c.undeferred, s.Undeferred)
	out.counter(c.unproven, s.Unproven)
	out.counter(c.eventsLost, s.EventsLost)
}

func (c *collector) collectServices(out samples, services []control.Service) {
	for _, s := range services {
		out.gauge(c.serving, float64(s.Serving), s.Name)
		for reason, n := range s.Refused {
			out.counter(c.refused, n, s.Name, reason)
		}
		if p := s.Ports; p != nil {
			out.gauge(c.snatUsed, float64(p.Used), s.Name)
			out.gauge(c.snatPorts, float64(p.Ports), s.Name)
		}
		for _, b := range s.Backends {
			for _, state := range health.States() {
				out.gauge(c.backendState, number(b.State == state.String()), s.Name, b.At, state.String())
			}
			out.gauge(c.backendWeight, float64(b.Weight), s.Name, b.At)
			out.gauge(c.backendDisagrees, number(b.Disagrees), s.Name, b.At)
			out.counter(c.probes, b.Probes, s.Name, b.At)
			out.counter(c.probeFailures, b.Failures, s.Name, b.At)
			out.counter(c.probesUndecided, b.Undecided, s.Name, b.At)
		}
	}
}

func (c *collector) collectLoop(out samples, s control.Loop) {
	out.counter(c.steps, s.Steps)
	out.gauge(c.lateMax, s.LateMax.Seconds())
	out.counter(c.recordsDropped, s.RecordsDropped)
	for reason, n := range s.Unserved {
		out.counter(c.syncUnserved, n, reason)
	}
	for call, n := range s.Failures {
		out.counter(c.failures, n, call)
	}
	buckets, total := map[float64]uint64{}, uint64(0)
	for i, n := range s.Late {
		total += n
		if i < len(c.lateBounds) {
			buckets[c.lateBounds[i].Seconds()] = total
		}
	}
	out <- prometheus.MustNewConstHistogram(c.late, total, s.LateSum.Seconds(), buckets)
}
