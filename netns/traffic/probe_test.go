package traffic

import (
	"net/netip"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// newTestProbe is a probe without a socket that has sent count probes, one a millisecond.
func newTestProbe(count int) (*probe, *[]trace.Event) {
	var events []trace.Event
	l := newLine(0, plan.Traffic{Name: "probe", Kind: plan.Probe, Proto: "udp", Rate: 1000}, false, netip.AddrPort{},
		&Config{GapUDP: 20 * time.Millisecond}, func(e trace.Event) { events = append(events, e) })
	p := &probe{flowID: flowID{line: l, client: &client{name: "client1"}}, meter: outageMeter{threshold: l.threshold}}
	p.onReady = func() {}
	for i := range count {
		p.flight = append(p.flight, flight{sent: ms(i)})
	}
	return p, &events
}

func (p *probe) answerAt(seq uint64, at clock.Instant) {
	p.answer(answerTo(stamp{seq: seq, intended: ms(int(seq))}, "backend1"), at)
}

// A delayed loop may read an answer that arrived in time and a late one in the same turn.
func TestProbesAreJudgedByTheKernelsStamp(t *testing.T) {
	p, events := newTestProbe(100)
	for seq := range uint64(100) {
		at := ms(int(seq) + 1)
		if seq >= 30 && seq < 70 {
			at = ms(int(seq) + 25) // over the threshold of 20 ms
		}
		p.answerAt(seq, at)
	}
	p.settle(ms(1000))
	var gaps []trace.Gap
	for _, e := range *events {
		if e.Kind == trace.KindGap {
			gaps = append(gaps, *e.Gap)
		}
	}
	if len(gaps) != 1 || gaps[0].From != ms(29) || gaps[0].To != ms(70) || gaps[0].Missed != 40 {
		t.Errorf("gaps %+v, want one from 29 ms to 70 ms with 40 missed", gaps)
	}
	if got := p.line.summary(true); got.Received != 100 {
		t.Errorf("received %d, want 100: late answers count as received", got.Received)
	}
}

// A duplicate must neither stand for another probe's answer nor make an answered probe late.
func TestADuplicateIsNoAnswer(t *testing.T) {
	p, events := newTestProbe(100)
	for seq := range uint64(100) {
		if seq >= 90 {
			continue // lost
		}
		p.answerAt(seq, ms(int(seq)+1))
		p.answerAt(seq, ms(int(seq)+30)) // over the threshold of 20 ms
	}
	p.settle(ms(115))
	p.answerAt(3, ms(115)) // settled long ago
	if len(*events) != 1 || (*events)[0].Traffic == nil {
		t.Errorf("%+v, want the flow's opening alone", *events)
	}
	if got := p.line.summary(true); got.Received != 90 {
		t.Errorf("received %d of 100, of which 10 were lost and the others answered twice", got.Received)
	}
}

// The trace gets each latency once; a look at the live numbers consumes nothing.
func TestLatencyIsToldOnce(t *testing.T) {
	p, _ := newTestProbe(101)
	for seq := range uint64(100) {
		p.answerAt(seq, ms(int(seq)+1))
	}
	p.answerAt(100, ms(151))
	p.line.summary(false)
	if got := p.line.traceTotals(ms(120), false).Latency; len(got) != 1 || got[0].From != 0 || got[0].Answers != 99 || got[0].P50 != 1 || got[0].Max != 1 {
		t.Errorf("by 120 ms: %+v", got)
	}
	if got := p.line.traceTotals(ms(160), true).Latency; len(got) != 1 || got[0].From != ms(100) || got[0].Answers != 2 || got[0].Max != 51 {
		t.Errorf("the rest: %+v", got)
	}
}

// An answer to a probe that was given up must not count for another one.
func TestAnswerToASettledProbeAnswersNoOther(t *testing.T) {
	p, _ := newTestProbe(10)
	p.settle(ms(25)) // settles the first five
	if p.settled != 5 || len(p.flight) != 5 {
		t.Fatalf("settled %d, in flight %d", p.settled, len(p.flight))
	}
	p.answerAt(2, ms(25))
	p.answerAt(7, ms(8))
	for i, f := range p.flight {
		if f.answered != (i == 2) {
			t.Errorf("probe %d answered: %v", p.settled+uint64(i), f.answered)
		}
	}
}
