package node

import (
	"testing"
	"time"

	"baton/impl/bfd"
)

// TestHowLongTheSlowestPathDetects: a session that is Up by what the nodes have agreed on, any other by its configuration.
func TestHowLongTheSlowestPathDetects(t *testing.T) {
	for state, want := range map[bfd.State]time.Duration{bfd.Down: 150 * time.Millisecond, bfd.Up: 255 * time.Millisecond} {
		packets := []bfd.Packet{{State: bfd.Down}}
		if state == bfd.Up {
			packets = append(packets, bfd.Packet{State: bfd.Up})
		}
		p := heardPath(t, 1, &stream{}, packets...) // which agrees on 255 intervals of a millisecond
		p.BFD = bfd.Config{DetectMult: 3, DesiredMinTxInterval: 50 * time.Millisecond, RequiredMinRxInterval: 20 * time.Millisecond}
		if got := (paths{p}).longestDetection(); got != want {
			t.Errorf("session %v: %v, want %v", state, got, want)
		}
	}
}

// TestHowOftenAPacketIsSentAgain: a socket that refuses everything does not keep the node busy.
func TestHowOftenAPacketIsSentAgain(t *testing.T) {
	n := fullNode(t)
	n.paths[0].say(n.now, diagOf[standby])
	n.pumpPath(0)
	n.Ready()
	sent := 0
	for range 2 * sayRetries {
		n.sendFailed(SendFailed{Path: 0, Err: "no buffer space available"})
		for _, e := range n.Ready() {
			if _, ok := e.(*SendBFD); ok {
				sent++
			}
		}
	}
	if sent != sayRetries {
		t.Errorf("sent again %d times, want %d", sent, sayRetries)
	}
}

// TestWhenEachNodeHearsTheOther: both sessions are Up. One that has expired here is still Up there, until the peer learns of it.
func TestWhenEachNodeHearsTheOther(t *testing.T) {
	for _, c := range []struct {
		what    string
		packets []bfd.Packet
		here    bfd.State
		want    bool
	}{
		{"neither", []bfd.Packet{{State: bfd.Down}}, bfd.Init, false},
		{"this node alone", []bfd.Packet{{State: bfd.Down}, {State: bfd.Init}}, bfd.Up, false},
		{"the peer alone", []bfd.Packet{{State: bfd.Up}}, bfd.Down, false},
		{"both", []bfd.Packet{{State: bfd.Down}, {State: bfd.Up}}, bfd.Up, true},
	} {
		p := heardPath(t, 1, &stream{}, c.packets...)
		if got := p.bothUp(); got != c.want || p.session.State() != c.here {
			t.Errorf("%s: %v, want %v; this node's session is %v, want %v", c.what, got, c.want, p.session.State(), c.here)
		}
	}
}
