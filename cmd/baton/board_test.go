package main

import (
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/plan"
)

// TestTheBoardShowsThePair: roles, closed gates, paths, open sessions, gaps by tick, RSTs.
func TestTheBoardShowsThePair(t *testing.T) {
	p, err := plan.Parse("t.scn", []byte("scenario t\nservice web tcp 198.18.0.100:80\ntraffic web sessions\nalways rst == 0\n@1s end\n"))
	if err != nil {
		t.Fatal(err)
	}
	recording, b := scenarios.NewRecording(p, plan.Netns), newBoard()
	recording.Follow(b.record)
	at := clock.Instant(0)
	add := func(node string, e trace.Event) {
		at = at.Add(time.Millisecond)
		e.At, e.Node = at, node
		recording.Record(e)
	}
	gate := func(name string, open bool) {
		add("lb2", trace.Event{Gate: &trace.Gate{Name: name, Open: open, Why: "because"}})
	}
	gap := func(took time.Duration) {
		add("client1", trace.Event{Gap: &trace.Gap{Name: "web", From: at, To: at.Add(took)}})
	}
	add("lb1", trace.Event{Role: &trace.Role{From: "Claiming", To: "Master", Reason: "forwarding"}})
	add("lb1", trace.Event{BFD: &trace.BFD{Path: "sync", From: "Init", To: "Up"}})
	gate("NoMaster", false)
	gate("InSync", false)
	gate("InSync", true)
	add("", trace.Event{Totals: &trace.Totals{Name: "web", Kind: plan.Sessions, Sessions: 7, Received: 99}})
	gap(20 * time.Millisecond)
	b.tick()
	gap(200 * time.Millisecond)
	gap(100 * time.Millisecond)
	b.tick()
	add("client1", trace.Event{RST: &trace.RST{Edge: "clients"}})
	var lines []string
	recording.View(func(s *check.State) { lines = b.lines(s) })
	text := strings.Join(lines, "\n")
	for _, want := range []string{"lb1  Master ", "BFD sync Up\n", "lb2  Init ", "closed: NoMaster\n", "open 7 ", "received 99 ", "▁█· up to 200ms\n", "RST 1  lost 0", "lb1 is Master (was Claiming): forwarding"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for range 2 * boardTicks {
		b.tick()
	}
	recording.View(func(s *check.State) { lines = b.lines(s) })
	if text := strings.Join(lines, "\n"); strings.Contains(text, "up to") {
		t.Errorf("an old gap is still shown:\n%s", text)
	}
}

// A frame replaces the previous one.
func TestFramesReplaceEachOther(t *testing.T) {
	var out strings.Builder
	n := redraw(&out, 0, []string{"a", "b", "c"})
	first := out.String()
	out.Reset()
	redraw(&out, n, nil)
	if n != 3 || strings.Contains(first, "A") || strings.Count(first, "\r\n") != 2 || !strings.HasPrefix(out.String(), "\x1b[2A\r\x1b[J") {
		t.Errorf("%d lines: %q, then %q", n, first, out.String())
	}
}

func TestWatchIsRefusedWhereNobodyCanWatch(t *testing.T) {
	file := scenario(t, "always masters <= 1\n@1s end\n")
	for want, args := range map[string][]string{"--watch needs a terminal": {"run", "--watch", file}, "--watch shows one run": {"run", "--watch", "-j", "2", file}} {
		if r := baton(t, args...); r.code != exitBadInput || !strings.Contains(r.errout, want) {
			t.Errorf("%v: exit code %d\n%s", args, r.code, r.errout)
		}
	}
}
