package capture

import (
	"net/netip"
	"testing"

	"baton/impl/flow"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

// Only what a load balancer forwards shows who the forwarder is.
func TestFramesThatShowTheForwarder(t *testing.T) {
	data := frame{kind: frameTCP, src: lb1MAC, dst: clientMAC, tuple: webTuple, flags: tcpACK}
	change := func(f func(*frame)) frame { c := data; f(&c); return c }
	tests := []struct {
		rule  string
		frame frame
		shows bool
	}{
		{"a segment from the VIP", data, true},
		{"a datagram from the VIP", change(func(f *frame) { f.kind, f.tuple.Proto = frameUDP, flow.UDP }), true},
		{"a RST is not forwarding", change(func(f *frame) { f.flags = tcpRST }), false},
		{"a segment to the VIP", change(func(f *frame) { f.tuple = webTuple.Reverse() }), false},
		{"from a host that balances nothing", change(func(f *frame) { f.src = clientMAC }), false},
		{"from a stranger", change(func(f *frame) { f.src = mac{9} }), false},
		{"from the load balancer's own address", change(func(f *frame) { f.tuple.Src = flow.IPv4(198, 18, 0, 1) }), false},
		{"an ARP packet", frame{kind: frameNeighbours, src: lb1MAC, senderIP: vipAddr, targetIP: flow.IPv4(198, 18, 0, 11)}, false},
	}
	for _, tt := range tests {
		var events []trace.Event
		c := &Capture{owners: map[mac]string{lb1MAC: "lb1", clientMAC: "client1"}, lbs: map[string]bool{"lb1": true},
			cfg: Config{Record: func(e trace.Event) { events = append(events, e) }}}
		e := &edge{Edge: Edge{Name: lab.Clients, VIPs: []netip.Addr{addrOf(vipAddr)}},
			tracks: []*forwarderTrack{{edge: lab.Clients, vip: vipAddr.String()}, {edge: lab.Clients}}}
		c.look(e, &tt.frame, 1, ms(1))
		if len(events) > 0 != tt.shows || tt.shows && events[0].Node != "lb1" {
			t.Errorf("%s: events %+v", tt.rule, events)
		}
	}
}

// Each VIP has its own track: two VIPs forwarded by two nodes are a split, not a flapping forwarder.
func TestVIPsOnDifferentNodesDoNotLookLikeChanges(t *testing.T) {
	var events []trace.Event
	c := &Capture{owners: map[mac]string{lb1MAC: "lb1", {7}: "lb2"}, lbs: map[string]bool{"lb1": true, "lb2": true},
		cfg: Config{Record: func(e trace.Event) { events = append(events, e) }}}
	second := flow.IPv4(198, 18, 0, 101)
	e := &edge{Edge: Edge{VIPs: []netip.Addr{addrOf(vipAddr), addrOf(second)}}, tracks: []*forwarderTrack{{vip: "a"}, {vip: "b"}, {}}}
	for range 10 {
		c.look(e, &frame{kind: frameUDP, src: lb1MAC, tuple: flow.Tuple{Src: vipAddr}}, 1, ms(1))
		c.look(e, &frame{kind: frameUDP, src: mac{7}, tuple: flow.Tuple{Src: second}}, 1, ms(1))
	}
	if len(events) != 2 || events[0].Forwarder.VIP != "a" || events[1].Forwarder.VIP != "b" {
		t.Errorf("events %+v", events)
	}
}
