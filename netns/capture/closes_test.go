package capture

import (
	"net/netip"
	"strings"
	"testing"

	"baton/impl/flow"
	"baton/impl/sctp"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

// script is a graceful close, the client's FIN first, and what may follow. The client's
// sequence numbers are around 1000, the backend's around 5000.
var script = map[string]frame{
	"client data": {flags: tcpACK, seq: 1000, next: 1064, ack: 5000},
	"client FIN":  {flags: tcpACK | tcpFIN, seq: 1064, next: 1065, ack: 5000},
	"client ACK":  {flags: tcpACK, seq: 1065, next: 1065, ack: 5001},
	"client old":  {flags: tcpACK, seq: 1065, next: 1065, ack: 5000},
	"client SYN":  {flags: tcpSYN, seq: 9000, next: 9000},
	"server FIN":  {flags: tcpACK | tcpFIN, seq: 5000, next: 5001, ack: 1065},
	"server fin":  {flags: tcpACK | tcpFIN, seq: 5000, next: 5001, ack: 1000},
	"server ACK":  {flags: tcpACK, seq: 5000, next: 5000, ack: 1065},
}

// An ABORT is harmful unless the association has been shut down (RFC 9260 9.2).
func TestAnABORTHarmsUntilTheAssociationIsShutDown(t *testing.T) {
	tuple := webTuple
	tuple.Proto = flow.SCTP
	for _, tt := range []struct {
		sent []uint8
		over bool
	}{
		{[]uint8{sctp.Data, sctp.Sack}, false},
		{[]uint8{sctp.Data, sctp.Shutdown}, false},
		{[]uint8{sctp.Shutdown, sctp.ShutdownAck}, true},
		{[]uint8{sctp.Shutdown, sctp.ShutdownAck, sctp.ShutdownComplete}, true},
		{[]uint8{sctp.Shutdown, sctp.ShutdownAck, sctp.Init, sctp.InitAck}, false},
	} {
		c := closes{}
		for i, chunk := range tt.sent {
			f := frame{kind: frameSCTP, tuple: tuple, chunk: chunk}
			if i%2 == 1 {
				f.tuple = tuple.Reverse()
			}
			c.followChunk(&f)
		}
		if c.over(tuple) != tt.over || c.over(tuple.Reverse()) != tt.over {
			t.Errorf("after chunks %v an association is over: %v", tt.sent, c.over(tuple))
		}
	}
}

func TestARSTHarmsUntilBothEndsHaveAcknowledgedTheOthersFIN(t *testing.T) {
	tests := []struct {
		rule string
		sent string
		over bool
	}{
		{"in the middle of a connection", "client data", false},
		{"after one FIN", "client data, client FIN, server ACK", false},
		{"after both FINs, before the last ACK", "client FIN, server FIN", false},
		{"after a FIN that acknowledges less than the other's", "client FIN, server fin, client ACK", false},
		{"after an ACK that does not cover the other's FIN", "client FIN, server FIN, client old", false},
		{"once both FINs are acknowledged", "client FIN, server FIN, client ACK", true},
		{"in whatever order", "client FIN, server ACK, server FIN, server ACK, client ACK, client ACK", true},
		{"after a repeated FIN", "client FIN, server FIN, client ACK, server FIN", true},
		{"in the next connection on the tuple", "client FIN, server FIN, client ACK, client SYN, client data", false},
	}
	for _, tt := range tests {
		var events []trace.Event
		c := &Capture{owners: map[mac]string{lb1MAC: "lb1", clientMAC: "client1"}, lbs: map[string]bool{"lb1": true},
			cfg: Config{Ports: []uint16{80}, Record: func(e trace.Event) { events = append(events, e) }}}
		e := &edge{Edge: Edge{Name: lab.Clients, VIPs: []netip.Addr{addrOf(vipAddr)}}, closes: closes{}, tracks: []*forwarderTrack{{}, {}}}
		c.edges = []*edge{e}
		see := func(f frame, fromClient bool) {
			f.kind, f.src, f.dst, f.tuple = frameTCP, lb1MAC, clientMAC, webTuple
			if fromClient {
				f.src, f.dst, f.tuple = clientMAC, lb1MAC, webTuple.Reverse()
			}
			c.look(e, &f, 1, ms(1))
		}
		for _, name := range strings.Split(tt.sent, ", ") {
			see(script[name], strings.HasPrefix(name, "client"))
		}
		for _, fromClient := range []bool{true, false} {
			before := len(c.pairing.waiting)
			see(frame{flags: tcpRST, seq: 1065}, fromClient)
			if recorded := len(c.pairing.waiting) > before; recorded == tt.over {
				t.Errorf("RST %s, from the client: %v: recorded: %v", tt.rule, fromClient, recorded)
			}
		}
		events = nil
		c.noteUncounted()
		if noted := len(events) == 1 && strings.HasPrefix(events[0].Note, "2 RSTs at the clients edge"); noted != tt.over {
			t.Errorf("RSTs %s: noted: %+v", tt.rule, events)
		}
	}
}

// Only the RST that answers a challenge ACK is noted instead of recorded. One with another sequence
// number is recorded, and one of a connection that has opened since.
func TestARSTThatAnswersAChallengeIsNoted(t *testing.T) {
	challenge := frame{flags: tcpACK, ack: 700}
	for _, tt := range []struct {
		rule     string
		before   []frame // from lb1
		rst      frame
		recorded bool
	}{
		{"its number", []frame{challenge}, frame{flags: tcpRST, seq: 700}, false},
		{"another number", []frame{challenge}, frame{flags: tcpRST, seq: 701}, true},
		{"an ACK of its connection", []frame{{flags: tcpACK, seq: 5000, next: 5000, ack: 700}}, frame{flags: tcpRST, seq: 700}, true},
		{"an open connection", []frame{challenge, {flags: tcpSYN | tcpACK, seq: 4999, next: 4999, ack: 1000}}, frame{flags: tcpRST, seq: 700}, true},
	} {
		var events []trace.Event
		c := &Capture{owners: map[mac]string{lb1MAC: "lb1", clientMAC: "client1"}, lbs: map[string]bool{"lb1": true},
			cfg: Config{Ports: []uint16{80}, Record: func(e trace.Event) { events = append(events, e) }}}
		for _, name := range []string{lab.Clients, lab.Backends} {
			e := &edge{Edge: Edge{Name: name, VIPs: []netip.Addr{addrOf(vipAddr)}}, closes: closes{}, tracks: []*forwarderTrack{{}, {}}}
			c.edges = []*edge{e}
			for _, f := range tt.before {
				f.kind, f.src, f.dst, f.tuple = frameTCP, lb1MAC, clientMAC, webTuple
				c.look(e, &f, 1, ms(1))
			}
			f := tt.rst
			f.kind, f.src, f.dst, f.tuple = frameTCP, clientMAC, lb1MAC, webTuple.Reverse()
			before := len(c.pairing.waiting)
			c.look(e, &f, 1, ms(2))
			recorded := len(c.pairing.waiting) > before
			if want := tt.recorded || name != lab.Clients; recorded != want {
				t.Errorf("a RST of %s, at the %s edge: recorded %v, want %v", tt.rule, name, recorded, want)
			}
			events = nil
			c.noteUncounted()
			if noted := len(events) == 1 && events[0].Note == lab.ChallengesAnswered(1); noted == recorded {
				t.Errorf("a RST of %s: noted %+v", tt.rule, events)
			}
		}
	}
}
