package cause

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/trace"
)

// Each reason for which a node refuses new flows is explained; a challenge refuses nobody.
func TestEachReasonOfARefusalIsExplained(t *testing.T) {
	all := dataplane.Refusals{NoBackend: 1, NoPort: 1, TableFull: 1, ServiceLimit: 1, SourceLimit: 1, Challenged: 1}
	told := 0
	all.Since(dataplane.Refusals{}, func(why dataplane.Drop, _ uint64) {
		told++
		if (reasons[why.String()] != "") != (why != dataplane.DropChallenged) {
			t.Errorf("%s: %q", why, reasons[why.String()])
		}
	})
	if told != reflect.TypeFor[dataplane.Refusals]().NumField() || told != len(reasons)+1 {
		t.Errorf("%d reasons are told and %d are explained", told, len(reasons))
	}
}

// A failed connect is explained by its node's most frequent refusal around that time. A challenge
// refuses nobody, and refusals at another time explain nothing.
func TestARefusedConnectIsTold(t *testing.T) {
	second := func(n float64) clock.Instant { return clock.Instant(n * float64(time.Second)) }
	refusal := func(at float64, node, why string, count uint64) trace.Event {
		return trace.Event{At: second(at), Node: node, Kind: trace.KindRefused, Refused: &trace.Refused{Service: "web", Why: why, Count: count}}
	}
	const limit = "lb1 refused new flows of web, because their source was at its limit (limits.source_flows"
	for _, test := range []struct {
		name   string
		events []trace.Event
		says   string
		count  uint64
	}{
		{"a limit", []trace.Event{refusal(7.5, "lb1", "source-limit", 11), refusal(8.5, "lb1", "source-limit", 20)}, limit, 31},
		{"the most of several", []trace.Event{refusal(7.5, "lb1", "table-full", 3), refusal(8, "lb1", "source-limit", 4)}, limit, 4},
		{"of one node", []trace.Event{refusal(7.5, "lb2", "source-limit", 3), refusal(8, "lb1", "source-limit", 4)}, limit, 4},
		{"a full table", []trace.Event{refusal(8, "lb2", "table-full", 1)}, "lb2 refused new flows of web, because the table was full (max_flows)", 1},
		{"a challenge", []trace.Event{refusal(8, "lb1", "challenged", 9)}, "", 0},
		{"long before", []trace.Event{refusal(2, "lb1", "source-limit", 9)}, "", 0},
		{"long after", []trace.Event{refusal(13, "lb1", "source-limit", 9)}, "", 0},
	} {
		harm := Harm{Kind: Unconnected, From: second(10), To: second(11)}
		found, ok := Of(test.events, harm)
		if ok != (test.says != "") || !strings.HasPrefix(found.What, test.says) || Refused(test.events, harm) != test.count {
			t.Errorf("%s: %+v, %v, %d times", test.name, found, ok, Refused(test.events, harm))
		}
	}
}

// Sessions that never opened are counted over the whole run. They opened with the first refusals,
// so a node that refuses more flows later is not the cause.
func TestTheFirstRefusalsStoppedWhatNeverOpened(t *testing.T) {
	second := func(n float64) clock.Instant { return clock.Instant(n * float64(time.Second)) }
	var events []trace.Event
	for n := 1.0; n < 60; n++ {
		node := "lb1"
		if n > 20 {
			node = "lb2"
		}
		events = append(events, trace.Event{At: second(n), Node: node, Kind: trace.KindRefused, Refused: &trace.Refused{Service: "web", Why: "no-port", Count: 5}})
	}
	harm := Harm{Kind: Unconnected, From: second(0), To: second(60)}
	found, _ := Of(events, harm)
	if found.Node != "lb1" || found.At != second(1) || Refused(events, harm) != 7*5 {
		t.Errorf("%+v, %d times", found, Refused(events, harm))
	}
}
