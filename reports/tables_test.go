package reports

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/reports/load"
	"baton/scenarios/evidence"
)

// known is a table's entry for the flow of a client's port.
func known(port int, state string) evidence.Flow {
	return evidence.Flow{Original: fmt.Sprintf("tcp 198.18.0.11:%d>198.18.0.100:80", port), Reply: "tcp 198.18.1.11:80>198.18.1.100:2", State: state, Origin: "synced", Remaining: time.Second}
}

// keep stores the tables of a run; cut flows of each were left out.
func keep(t *testing.T, dir string, ask evidence.Ask, flows map[string][]evidence.Flow, cut int) *load.Run {
	t.Helper()
	store := evidence.NewStore(dir)
	for _, node := range []string{"lb1", "lb2"} {
		if flows[node] == nil {
			store.Lack(evidence.Missing{Kind: evidence.Table, Node: node, Why: node + " was not running (crash " + node + ")"})
			continue
		}
		if err := store.PutTable(evidence.Connections{Node: node, When: "the end", Total: len(flows[node]) + cut, Flows: flows[node]}, ask); err != nil {
			t.Fatal(err)
		}
	}
	return &load.Run{Dir: dir, Evidence: store.Manifest(ask)}
}

// Flows that only one node has come first, and among them those that broke for a client.
func TestTablesShowTheirDifferencesFirst(t *testing.T) {
	var lb1, lb2 []evidence.Flow
	for port := range 100 {
		lb2 = append(lb2, known(1000+port, "established"))
		if port < 70 {
			lb1 = append(lb1, known(1000+port, "established"))
		}
	}
	lb1[3].State = "closed"
	lb1 = append(lb1, known(5000, "opening"))
	run := keep(t, t.TempDir(), evidence.Ask{Limit: 1 << 20}, map[string][]evidence.Flow{"lb1": lb1, "lb2": lb2}, 0)
	at := func(e trace.Event) trace.Event { e.At = clock.Instant(time.Second); return e }
	run.Events = []trace.Event{
		at(trace.Event{RST: &trace.RST{Edge: "clients", Flow: "tcp 198.18.0.100:80>198.18.0.11:1095"}}),
		at(trace.Event{RST: &trace.RST{Edge: "backends", Flow: "tcp 198.18.1.11:80>198.18.1.100:2"}}),
		at(trace.Event{Traffic: &trace.Traffic{Event: trace.TrafficLost, Tuple: "tcp 198.18.0.11:1099>198.18.0.100:80"}}),
		at(trace.Event{Traffic: &trace.Traffic{Event: trace.TrafficDone, Tuple: "tcp 198.18.0.11:1098>198.18.0.100:80"}})}
	got, problems := tables(run)
	if len(problems) > 0 || got == nil {
		t.Fatalf("%v", problems)
	}
	want := []string{"lb1 lacks 30 flows that lb2 has; 2 of them broke for the client.", "lb2 lacks 1 flow that lb1 has.", "The nodes disagree on 1 flow.", "Both nodes have 69 flows alike."}
	if !slices.Equal(got.Says, want) {
		t.Errorf("%q, want %q", got.Says, want)
	}
	if len(got.Rows) != flowsOfDifference+1+1+flowsAlike || got.Of != 101 {
		t.Errorf("%d rows of %d", len(got.Rows), got.Of)
	}
	for i, want := range []struct{ port, lb1, harm, tone string }{{"1095", "", "reset", "bad"}, {"1099", "", "lost", "bad"}, {"1070", "", "", "bad"}} {
		row := got.Rows[i]
		if !strings.Contains(row.Flow, ":"+want.port+">") || row.Entries[0] != want.lb1 || !strings.HasPrefix(row.Entries[1], "established") || row.Harm != want.harm || row.Tone != want.tone {
			t.Errorf("row %d: %+v, want %+v", i, row, want)
		}
	}
}

// A table that was cut or is incomplete does not prove that a flow is absent.
func TestAnIncompleteTableDoesNotShowThatAFlowIsMissing(t *testing.T) {
	flows := map[string][]evidence.Flow{"lb1": {known(1, "established")}, "lb2": {known(1, "established"), known(2, "established")}}
	run := keep(t, t.TempDir(), evidence.Ask{Limit: 1 << 20}, flows, 5)
	if got, _ := tables(run); len(got.Says) != 1 || !strings.Contains(got.Says[0], "1 flow alike") || !strings.Contains(got.Nodes[0].What, "5 of 6 entries") {
		t.Errorf("%+v", got)
	}
	dir := t.TempDir()
	run = keep(t, dir, evidence.Ask{Limit: 1 << 20}, flows, 0)
	file, err := os.OpenFile(filepath.Join(dir, evidence.TableFile("lb1")), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("tcp cut o"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if got, problems := tables(run); len(problems) != 1 || len(got.Says) != 1 || !strings.Contains(got.Nodes[0].What, "cannot be read") {
		t.Errorf("%+v, %v", got, problems)
	}
}

// If one node has no table, the report shows the other's, and the reason.
func TestOneTableIsShownIfTheOtherIsMissing(t *testing.T) {
	run := keep(t, t.TempDir(), evidence.Ask{Limit: 1 << 20}, map[string][]evidence.Flow{"lb2": {known(1, "established")}}, 0)
	got, problems := tables(run)
	if len(problems) > 0 || got.Nodes[0].What != "no table: lb1 was not running (crash lb1)" || got.Nodes[1].File != "table-lb2.txt" || len(got.Rows) != 1 {
		t.Errorf("%+v, %v", got, problems)
	}
	if got, _ := tables(&load.Run{}); got != nil {
		t.Errorf("without a table: %+v", got)
	}
}
