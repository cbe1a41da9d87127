package page

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/reports/model"
	"baton/reports/timeline"
)

// hostile is text that a trace may contain. If the page took it for markup, it would change the
// title or use the network.
const hostile = `</script><script>document.title='broken'</script><img src=x onerror="document.title='broken'">` + "\x1b[31m../../etc"

// ms converts milliseconds to an instant of a trace whose first step begins at 1 s.
func ms(n float64) clock.Instant {
	return clock.Instant(time.Second) + clock.Instant(n*float64(time.Millisecond))
}

// failing returns the trace of a run in which lb1 crashes, is restored and takes the role without
// its table, followed by count RSTs.
func failing(count int) []trace.Event {
	var events []trace.Event
	add := func(at float64, node string, e trace.Event) {
		e.At, e.Node = ms(at), node
		events = append(events, e)
	}
	role := func(at float64, node, from, to string, epoch uint32) {
		add(at, node, trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: from, To: to, Reason: "no MASTER, table in sync", Epoch: epoch, Gates: []string{"LinksUp"}, Closed: []string{"InSync"}}})
	}
	path := func(at float64, node, from, to string) {
		for _, name := range []string{"clients", "sync"} {
			add(at, node, trace.Event{Kind: trace.KindBFD, BFD: &trace.BFD{Path: name, From: from, To: to, Detect: trace.Dur(150 * time.Millisecond)}})
		}
	}
	fault := func(at float64, verb string) {
		f := trace.Fault{ID: int(at), Verb: verb, Target: "lb1", Hosts: []string{"lb1"}, Phase: "begin"}
		add(at, "", trace.Event{Kind: trace.KindFault, Fault: &f})
		seen := f
		seen.Phase, seen.Receipt = "receipt", "process gone; "+hostile
		add(at+1, "", trace.Event{Kind: trace.KindFault, Fault: &seen})
	}
	leases := func(from, to float64, node string) {
		for at := from; at < to; at += 30 {
			add(at, node, trace.Event{Kind: trace.KindLease, Lease: &trace.Lease{Until: ms(min(at+120, to))}})
		}
	}
	announce := func(at float64, node string) {
		add(at, node, trace.Event{Kind: trace.KindAnnounce, Announce: &trace.Announce{Count: 1}})
		add(at+0.1, node, trace.Event{Kind: trace.KindGARP, GARP: &trace.GARP{Edge: "clients", VIP: "198.18.0.100"}})
	}
	add(-1, "", trace.Event{Kind: trace.KindMeta, Meta: &trace.Meta{Version: trace.Version, Scenario: "restored", World: "netns", Detect: trace.Dur(150 * time.Millisecond)}})
	add(0, "", trace.Event{Kind: trace.KindStep, Step: &trace.Step{Text: "wait lb1 is Master", Phase: "begin"}})
	for i, node := range []string{"lb1", "lb2"} {
		role(10+float64(i), node, "Init", "Backup", 0)
		path(15, node, "Init", "Up")
		add(20, node, trace.Event{Kind: trace.KindGate, Gate: &trace.Gate{Name: "NoMaster", Why: "the peer is heard"}})
		add(22, node, trace.Event{Kind: trace.KindSync, Sync: &trace.Sync{Phase: "insync", Entries: 500, Total: 500, Percent: 100, Digest: "equal", Took: trace.Dur(2 * time.Millisecond)}})
	}
	role(100, "lb1", "Backup", "Claiming", 0)
	leases(101, 2000, "lb1")
	role(102, "lb1", "Claiming", "Master", 1)
	announce(102.1, "lb1")
	fault(2000, "crash")
	path(2121, "lb2", "Up", "Down")
	role(2121.1, "lb2", "Backup", "Claiming", 1)
	leases(2121.4, 6090, "lb2")
	role(2121.5, "lb2", "Claiming", "Master", 2)
	announce(2121.6, "lb2")
	add(2130, "client1", trace.Event{Kind: trace.KindGap, Gap: &trace.Gap{Name: "probe", Flow: "client1/0", Proto: "udp", From: ms(1999.5), To: ms(2122), Missed: 120}})
	fault(6000, "restore")
	path(6050, "lb1", "Down", "Up")
	role(6060, "lb1", "Backup", "Claiming", 2)
	leases(6061, 10_000, "lb1")
	role(6062, "lb1", "Claiming", "Master", 3)
	role(6090, "lb2", "Master", "Backup", 2)
	for i := range count {
		flow := fmt.Sprintf("tcp 198.18.1.11:80>198.18.1.100:%d", 20000+i)
		add(6095+float64(i)/100, "backend1", trace.Event{Kind: trace.KindRST, RST: &trace.RST{Edge: "backends", Flow: flow, Sender: "backend1",
			Origin: "backend1", LB: "lb1", Role: "Master", Entry: "adopted", Fault: "restore lb1", Seq: uint32(1000 + i)}})
		add(6096+float64(i)/100, "client1", trace.Event{Kind: trace.KindTraffic, Traffic: &trace.Traffic{Name: "web", Flow: fmt.Sprint(i), Event: trace.TrafficLost, Why: "connection reset by peer"}})
	}
	for second := 1; second <= 10; second++ {
		for _, line := range []struct{ name, kind, proto string }{{"web", "sessions", "tcp"}, {"new", "connects", "tcp"}, {"probe", "probe", "udp"}} {
			n := uint64(second * 5000)
			latency := make([]trace.Latency, 10)
			for i := range latency {
				latency[i] = trace.Latency{From: ms(float64(second-1)*1000 + float64(i)*100), Answers: 500, P50: 0.12, P90: 0.31, P99: 0.9, Max: 1.5}
			}
			if second == 3 {
				latency[1].P99, latency[1].Max = 212.5, 212.8 // after the crash
			}
			add(float64(second)*1000, "client1", trace.Event{Kind: trace.KindTotals, Totals: &trace.Totals{Name: line.name, Kind: line.kind, Proto: line.proto,
				Opened: second * 100, Sent: n, Received: n, Bytes: n * 96, Latency: latency, Final: second == 10}})
		}
	}
	slices.SortStableFunc(events, func(a, b trace.Event) int { return cmp.Compare(a.At, b.At) })
	return events
}

// report returns a report with a number of runs. Every tenth fails with RSTs.
func report(t *testing.T, runs, rsts int) Data {
	t.Helper()
	d := Data{Suite: model.Suite{Version: model.Version, Outcome: "FAIL", Counts: map[string]int{},
		Environments: []model.Environment{{Kernel: "6.18.0", Arch: "amd64", Cores: 2, Go: "go1.26", Baton: "v1", Runs: runs}},
		Problems:     []model.Problem{{File: "out/" + hostile + "/trace.jsonl", Line: 7, What: "cut off", Kept: "the events before it"}}}}
	bad := packed(t, failing(rsts))
	good := packed(t, failing(0))
	for i := range runs {
		verdict, row := "PASS", i%20
		if i%10 == 0 {
			verdict = "FAIL"
		}
		d.Suite.Counts[verdict]++
		if row == i {
			d.Suite.Rows = append(d.Suite.Rows, model.Row{Scenario: fmt.Sprintf("scenario-%02d", row), World: "netns", SUT: "reference", Verdict: verdict, Unexecuted: []string{"[sim] chaos clients loss=0.1", "[sim] always gates"},
				Doc: hostile, Control: &model.Control{Checks: []string{"rst", "lost"}, Caught: row%2 == 0}})
		}
		r := &d.Suite.Rows[row]
		r.Runs = append(r.Runs, i)
		run := model.Run{Dir: fmt.Sprintf("run-%d", i), Row: row, Verdict: verdict, Seed: uint64(i), Events: 5000, Replay: "bin/baton run " + hostile,
			Metrics: map[string]float64{"takeover_ms": 120.5 + float64(i%7), "rst": 0},
			Checks:  []model.Check{{Name: "masters", Verdict: "PASS", Detail: "masters <= 1 over +0.000s..+10.000s: actual 1", Line: 10}}}
		axis := good
		if verdict == "FAIL" {
			r.Failed++
			axis = bad
			run.Metrics["rst"] = float64(rsts)
			run.Answer = []string{fmt.Sprintf("%d RSTs, the first at +6.095 s: made by backend1 %s", rsts, hostile)}
			run.Reasons = []string{fmt.Sprintf("rst: rst == 0 over +0.000s..+10.000s: actual %d: %s", rsts, hostile)}
			run.Checks = append(run.Checks, model.Check{Name: "rst", Verdict: "FAIL", Detail: run.Reasons[0], Line: 2, Failed: &model.Span{From: 6_095_000, To: 6_098_000}})
			run.Cause = "RSTs after restore lb1: made by backend1 " + hostile
			run.Evidence = []model.Evidence{{File: "capture.pcapng", Kind: "capture", What: "frames at both edges", Bytes: 12345}}
		} else {
			r.Passed++
		}
		d.Suite.Runs, d.Suite.Events = append(d.Suite.Runs, run), d.Suite.Events+5000
		d.Timelines = append(d.Timelines, axis)
	}
	for i := range d.Suite.Rows {
		figures(&d.Suite, &d.Suite.Rows[i])
	}
	cause := model.Cause{What: "RSTs after restore lb1: made by backend1 " + hostile, Verdict: "FAIL"}
	for i := 0; i < runs; i += 10 {
		cause.Runs = append(cause.Runs, i)
	}
	d.Suite.Causes = []model.Cause{cause}
	searches(&d.Suite)
	trends(&d.Suite)
	return d
}

func searches(s *model.Suite) {
	s.Campaigns = []model.Campaign{{Kind: "campaign", Title: "seeds 1 to 2000", Shards: 2, Lacking: []int{1}, Planned: 2000, Done: 1000, Simulated: time.Hour, Took: time.Minute,
		Violations: []model.Violation{{Seed: 4711, Check: "forwarders", Reason: hostile, Replay: "baton sim --seeds 1 --start 4711", Shrink: "baton shrink --seed 4711"}}}}
	s.Coverage = []model.Coverage{{World: "netns", Possible: 3, Met: 2, Cells: []model.Cell{{Fault: "crash", Role: "Master", Phase: "established", Runs: 3}, {Fault: hostile, Role: "Master", Phase: "idle", Runs: 1}},
		Holes: []model.Cell{{Fault: "crash", Role: "Backup", Phase: "opening"}}}}
	s.Sometimes = []model.Sometime{{Claim: "forwarders == 0", Runs: 4, Detail: "1 at the end", Scenarios: []string{"scenario-01"}}, {Claim: hostile, Seen: 1, Runs: 1, Detail: hostile}}
	s.Mutants = &model.Mutants{Killed: 1, Survived: 1, Mutants: []model.Mutant{{Name: "announce-first", Outcome: "killed", Check: "announce", Where: "crash-master"}, {Name: "quiet " + hostile, Outcome: "survived"}}}
}

func trends(s *model.Suite) {
	base := model.Distribution{N: 10, Median: 120, Low: 118, High: 123, Values: []float64{118, 120, 123}}
	s.Comparison = &model.Comparison{Base: "reports/baseline", New: "out", Verdict: model.Worse, Alpha: 0.05, Effect: 0.1, Remarks: []string{"another machine"},
		Rows: []model.Change{{Scenario: "scenario-00", World: "sim", Metric: "takeover_ms", Unit: "ms", Verdict: model.Worse, Base: base,
			New: model.Distribution{N: 10, Median: 144, Low: 141, High: 146}, Delta: 0.2, P: 0.0001, Adjusted: 0.0003, Why: "a fifth slower"}}}
	trend := model.Trend{Scenario: "scenario-00", World: "sim", Metric: "takeover_ms", Unit: "ms", Changes: []model.Shift{{Point: 5, Before: 120, After: 144, P: 0.001, Verdict: model.Worse}}}
	var batches []string
	for i := range 10 {
		batches = append(batches, fmt.Sprintf("2026-01-%02d", i+1))
		level := 120 + float64(i/5*24+i%2)
		trend.Points = append(trend.Points, model.Point{Batch: i, N: 10, Median: level, Min: level - 4, Max: level + 6})
	}
	s.History = &model.History{Dir: "history", Batches: batches, Trends: []model.Trend{trend}}
}

func figures(s *model.Suite, row *model.Row) {
	f := model.Figure{Name: "takeover_ms", Title: "takeover", Unit: "ms", Limits: []model.Limit{{Claim: "takeover_ms <= 245", Line: 12, Verdict: "PASS"}}}
	for _, i := range row.Runs {
		f.Values, f.Of = append(f.Values, s.Runs[i].Metrics["takeover_ms"]), append(f.Of, i)
	}
	f.Median, f.Min, f.Max = f.Values[0], slices.Min(f.Values), slices.Max(f.Values)
	rst := model.Figure{Name: "rst", Title: "RST", Median: s.Runs[row.Runs[0]].Metrics["rst"], Values: []float64{s.Runs[row.Runs[0]].Metrics["rst"]}, Of: row.Runs[:1]}
	row.Figures = []model.Figure{f, rst}
}

func packed(t *testing.T, events []trace.Event) Packed {
	t.Helper()
	began := timeline.At(2_000_000)
	p, err := Pack(timeline.Build(events), Beside{
		Frames: []Frame{{At: 6_094_900, Edge: "clients/lb1", Text: "tcp 198.18.0.11:5>198.18.0.100:80 PSH,ACK seq 1 ack 2 len 64"},
			{At: 6_095_000, Edge: "clients/client1", Text: "tcp 198.18.0.100:80>198.18.0.11:5 RST seq 2 ack 0 len 0 " + hostile}, {At: 7_000_000, Edge: "clients/lb1", Text: "udp far away"}},
		Clusters: []Cluster{{From: 6_095_000, To: 6_098_000, What: "300 RSTs, 300 sessions lost, 95 ms after restore lb1"}, {From: 2_203_000, To: 2_203_000, What: "1 RST " + hostile}},
		Tables: &Tables{Of: 500, Says: []string{"lb1 lacks 498 flows that lb2 has; 300 of them broke for the client."},
			Nodes: []NodeTable{{Node: "lb1", What: "no table: " + hostile}, {Node: "lb2", File: "table-lb2.txt", What: "connection table of lb2 at +6.096s"}},
			Rows:  []FlowRow{{Flow: "tcp 198.18.0.11:5>198.18.0.100:80 " + hostile, Entries: []string{"", "established tcp 198.18.1.11:80>198.18.1.100:2"}, Harm: "reset", Tone: "bad"}}},
		Script: []Line{{Text: "topo pair clients=1 backends=2"}, {Text: "always rst == 0"}, {Text: "@2s crash lb1", Began: &began}, {Text: "# " + hostile}},
		Logs:   []Said{{At: 6_094_000, Node: "lb1", Text: "level=INFO msg=\"role change\" " + hostile}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// written returns the page of a report.
func written(t *testing.T, d Data) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := Write(&buf, d); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
