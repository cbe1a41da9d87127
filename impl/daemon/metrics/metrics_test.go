package metrics

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"baton/impl/bfd"
	"baton/impl/ctsync"
	"baton/impl/daemon/control"
	"baton/impl/dataplane"
	"baton/impl/node"
	"baton/impl/trace"
)

func master(context.Context) (control.Status, error) {
	stats := bfd.Stats{Sent: 11, Received: 12}
	stats.Drops[bfd.DropTTL] = 2
	return control.Status{
		Status: node.Status{
			Node: "lb1", Role: "Master", Epoch: 7, Lease: 120 * time.Millisecond, InSync: true, Flows: 500, Read: node.ReadStatus{Due: true, Failed: 2},
			Gates:   []node.GateStatus{{Name: "InSync", Open: true}, {Name: "NoMaster", For: 1500 * time.Millisecond}},
			Paths:   []node.PathStatus{{Name: "sync", State: "Up", Detection: 150 * time.Millisecond, Stats: stats}},
			Peer:    node.PeerStatus{Role: "Backup", Known: true, Stream: true},
			Adopted: &node.AdoptedStatus{Entries: 41},
			Defer:   &node.DeferStatus{Waiting: 31, DeferStats: node.DeferStats{Acked: 32, TimedOut: 33, NoPeer: 34, Full: 35, Dropped: 36, Waited: 2500 * time.Millisecond}},
			Sync:    ctsync.Progress{Phase: "snapshot", Entries: 250, Total: 500, Percent: 50, Lag: 3},
		},
		Dataplane: control.CountersFrom(dataplane.Counters{Forwarded: [2]uint64{100, 99}, Dropped: [dataplane.DropKinds]uint64{dataplane.DropMiss: 4},
			Deferred: 51, Undeferred: 52, Relayed: 53, Fast: dataplane.Fast{Forwarded: [2]uint64{54, 55}, Left: [dataplane.LeftKinds]uint64{dataplane.LeftNew: 56}}}),
		Hook: control.Hook{Name: "xdp"},
		Loop: control.Loop{Steps: 9, Late: []uint64{5, 3, 1}, LateSum: 2 * time.Millisecond, LateMax: time.Millisecond,
			SendErrors: map[string]uint64{"sync": 6}, Failures: map[string]uint64{"dump": 5}, UnexpectedSource: map[string]uint64{"sync": 8}},
		Pinned: &control.Pinned{Outcome: control.PinAdopted, Why: "whole"},
		Stream: control.Stream{Ends: map[string]uint64{"ended-by-peer": 17}}, Alarms: []string{"one", "two"},
		Services:  []control.Service{{Name: "web", Serving: 1, Refused: map[string]uint64{"no-port": 6}, Ports: &control.PortUse{Used: 57, Ports: 58}, Backends: []control.Backend{{At: "198.18.1.11:80", State: "down", Weight: 3, Probes: 21, Failures: 20, Undecided: 59}}}},
		Conflicts: []control.Conflict{{VIP: netip.MustParseAddr("198.18.0.100"), Link: "client0", Count: 40, Answered: 3}},
	}, nil
}

var bounds = []time.Duration{100 * time.Microsecond, time.Millisecond}

func observed() *Metrics {
	m := New(master, bounds, "v1")
	m.Observe(trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: "Backup", To: "Claiming", Reason: "peer is silent"}})
	m.Observe(trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: "Backup", To: "Backup", Refused: "InSync"}})
	m.Observe(trace.Event{Kind: trace.KindGate, Gate: &trace.Gate{Name: "InSync", Open: true}})
	m.Observe(trace.Event{Kind: trace.KindBFD, BFD: &trace.BFD{Path: "sync", From: "Up", To: "Down"}})
	m.Observe(trace.Event{Kind: trace.KindAnnounce, Announce: &trace.Announce{Count: 1}})
	m.Observe(trace.Event{Kind: trace.KindNote, Note: "counts for nothing"})
	return m
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("status %d, %v: %s", w.Code, err, body)
	}
	return string(body)
}

func TestNamesFollowTheConventions(t *testing.T) {
	problems, err := testutil.GatherAndLint(observed().registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestSamples(t *testing.T) {
	body := scrape(t, observed())
	for _, want := range []string{
		`baton_up 1`, `baton_build_info{goversion="` + runtime.Version() + `",version="v1"} 1`,
		`baton_role{role="Master"} 1`,
		`baton_role{role="Backup"} 0`,
		`baton_peer_role{role="Backup"} 1`,
		`baton_epoch 7`,
		`baton_gate_open{gate="InSync"} 1`,
		`baton_gate_open{gate="NoMaster"} 0`,
		`baton_gate_state_seconds{gate="NoMaster"} 1.5`,
		`baton_lease_remaining_seconds 0.12`,
		`baton_bfd_state{path="sync",state="Up"} 1`,
		`baton_bfd_state{path="sync",state="Down"} 0`,
		`baton_bfd_detection_time_seconds{path="sync"} 0.15`,
		`baton_bfd_packets_sent_total{path="sync"} 11`,
		`baton_bfd_packets_dropped_total{path="sync",reason="ttl"} 2`,
		`baton_bfd_packets_dropped_total{path="sync",reason="source"} 8`,
		`baton_bfd_send_errors_total{path="sync"} 6`,
		`baton_sync_phase{phase="snapshot"} 1`,
		`baton_sync_progress_ratio 0.5`,
		`baton_sync_lag_changes 3`,
		`baton_sync_stream_ends_total{cause="ended-by-peer"} 17`,
		`baton_alarms 2`,
		`baton_pinned_table{outcome="adopted",why="whole"} 1`,
		`baton_pinned_table{outcome="refused",why=""} 0`,
		`baton_pinned_table_entries 41`,
		`baton_service_backends_serving{service="web"} 1`,
		`baton_service_flows_refused_total{reason="no-port",service="web"} 6`,
		`baton_backend_state{backend="198.18.1.11:80",service="web",state="down"} 1`,
		`baton_backend_state{backend="198.18.1.11:80",service="web",state="up"} 0`,
		`baton_backend_weight{backend="198.18.1.11:80",service="web"} 3`,
		`baton_backend_probes_total{backend="198.18.1.11:80",service="web"} 21`,
		`baton_backend_probe_failures_total{backend="198.18.1.11:80",service="web"} 20`,
		`baton_backend_probes_undecided_total{backend="198.18.1.11:80",service="web"} 59`,
		`baton_vip_foreign_claims_total{link="client0",vip="198.18.0.100"} 40`,
		`baton_vip_foreign_claims_answered_total{link="client0",vip="198.18.0.100"} 3`,
		`baton_dataplane_read_due 1`,
		`baton_call_failures_total{call="dump"} 5`,
		`baton_dataplane_read_failures_total 2`,
		`baton_dataplane_packets_total{direction="reply"} 99`,
		`baton_dataplane_packets_dropped_total{reason="miss"} 4`,
		`baton_deferred_replies_waiting 31`,
		`baton_deferred_replies_total{end="acked"} 32`,
		`baton_deferred_replies_total{end="timed-out"} 33`,
		`baton_deferred_replies_total{end="no-peer"} 34`,
		`baton_deferred_replies_total{end="full"} 35`,
		`baton_deferred_replies_total{end="dropped"} 36`,
		`baton_deferred_replies_wait_seconds_total 2.5`,
		`baton_dataplane_deferred_total 51`,
		`baton_dataplane_undeferred_total 52`,
		`baton_dataplane_relayed_packets_total 53`,
		`baton_dataplane_xdp_packets_total{direction="original"} 54`,
		`baton_dataplane_xdp_packets_total{direction="reply"} 55`,
		`baton_dataplane_xdp_left_total{why="new"} 56`,
		`baton_dataplane_hook{hook="xdp"} 1`,
		`baton_dataplane_hook{hook="tcx"} 0`,
		`baton_service_snat_ports_used{service="web"} 57`,
		`baton_service_snat_ports{service="web"} 58`,
		`baton_loop_lateness_seconds_bucket{le="0.0001"} 5`,
		`baton_loop_lateness_seconds_bucket{le="0.001"} 8`,
		`baton_loop_lateness_seconds_bucket{le="+Inf"} 9`,
		`baton_role_changes_total{from="Backup",reason="peer is silent",to="Claiming"} 1`,
		`baton_claims_refused_total{gate="InSync"} 1`,
		`baton_gate_changes_total{gate="InSync",to="open"} 1`,
		`baton_bfd_state_changes_total{from="Up",path="sync",to="Down"} 1`,
		`baton_announcements_total 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no line %q", want)
		}
	}
}

func TestALoopThatDoesNotAnswerIsShown(t *testing.T) {
	m := New(func(context.Context) (control.Status, error) { return control.Status{}, errors.New("stuck") }, bounds, "v1")
	body := scrape(t, m)
	if !strings.Contains(body, "baton_up 0\n") || strings.Contains(body, "baton_epoch") {
		t.Errorf("scrape of a stuck node:\n%s", body)
	}
}
