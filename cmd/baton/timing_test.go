package main

import (
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/trace"
)

// TestTimingSaysWhereItWent: each part is the time between its two events; a run that lacks
// one of them has no figures.
func TestTimingSaysWhereItWent(t *testing.T) {
	at := func(ms int) clock.Instant { return clock.Instant(time.Duration(ms) * time.Millisecond) }
	step := func(phase string) *trace.Step { return &trace.Step{Phase: phase} }
	events := []trace.Event{
		{At: at(130), Kind: trace.KindMeta},
		{At: at(150), Kind: trace.KindStep, Step: step("begin")},
		{At: at(400), Kind: trace.KindRole, Node: "lb2", Role: &trace.Role{}},
		{At: at(450), Kind: trace.KindRole, Node: "lb1", Role: &trace.Role{}},
		{At: at(900), Kind: trace.KindRole, Node: "lb1", Role: &trace.Role{}},
		{At: at(950), Kind: trace.KindStep, Step: step("end")},
		{At: at(953), Kind: trace.KindTraffic, Traffic: &trace.Traffic{Event: trace.TrafficOpened}},
		{At: at(990), Kind: trace.KindStep, Step: step("end")},
		{At: at(995), Kind: trace.KindTraffic, Traffic: &trace.Traffic{Event: trace.TrafficOpened}},
	}
	want := "timing: first traffic 853 ms after the start: command 30, network and processes 20, nodes ready 300, waits 500, opening 3"
	if got := timing(at(100), events); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, missing := range []int{3, 6} {
		if got := timing(at(100), events[:missing]); strings.Contains(got, "first traffic") {
			t.Errorf("of %d events: %s", missing, got)
		}
	}
}

// TestTheCommandStartedBeforeNow: but not long ago, which shows that the unit of /proc is right.
func TestTheCommandStartedBeforeNow(t *testing.T) {
	began, err := commandStart()
	if now := boottime.Now(); err != nil || began > now || now.Sub(began) > 10*time.Minute {
		t.Errorf("started at %v of %v, %v", began, now, err)
	}
}
