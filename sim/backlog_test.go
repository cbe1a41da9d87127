package sim

import (
	"testing"
	"time"

	"baton/impl/flow"
	"baton/scenarios/lab"
)

// TestASYNMeetsAHalfOpenConnection (RFC 9293 section 3.10.7.4): a SYN of another connection is
// answered by an ACK of the half-open one, which the client resets. It sends its SYN again at
// once, as Linux does, and is connected.
func TestASYNMeetsAHalfOpenConnection(t *testing.T) {
	server, client := &endpoint{unit: answerLen}, &endpoint{unit: requestLen}
	s, c := &wire{}, &wire{}
	server.accept(epoch, s, 7000, 1000) // of a client that is gone
	s.sent = nil
	client.open(epoch, c, 500_000)
	server.receive(epoch, s, &c.sent[0])
	if len(s.sent) != 1 || s.sent[0].flags != ack || s.sent[0].ack != 1001 {
		t.Fatalf("answers to the SYN: %+v", s.sent)
	}
	client.receive(epoch, c, &s.sent[0])
	if len(c.sent) != 2 || c.sent[1].flags != rst || c.sent[1].seq != 1001 || client.state != tcpSynSent {
		t.Fatalf("the client sends %+v", c.sent)
	}
	if again := client.deadline.Sub(epoch); again != synAgain || c.wakes != client.deadline {
		t.Errorf("the SYN is sent again after %v", again)
	}
	server.receive(epoch, s, &c.sent[1])
	if server.state != tcpClosed {
		t.Errorf("after the RST the server is in state %d", server.state)
	}
	client.timer(client.deadline, c)
	if wait := client.deadline.Sub(epoch.Add(synAgain)); wait != 2*rtoSYN {
		t.Errorf("and the next time after %v", wait)
	}
	client.receive(epoch, c, &packet{flags: ack, seq: 7001, ack: 1001})
	if wait := client.deadline.Sub(epoch.Add(synAgain)); wait != 2*rtoSYN {
		t.Errorf("a second such answer changes that to %v", wait)
	}
}

// TestSYNsBeyondTheBacklog: beyond maxHalfOpen half-open connections a host answers SYNs with SYN
// cookies and serves the clients that acknowledge them. It forgets unacknowledged connections.
func TestSYNsBeyondTheBacklog(t *testing.T) {
	o := settled(t)
	backend := &o.hosts[o.firstBack]
	b := backend.backlogOf(80)
	syns := func(n int, from uint16) {
		for i := range n {
			p := packet{flags: syn, seq: uint32(i), link: onBackends, from: 0, to: backend.index, origin: 2,
				tuple: flow.Tuple{Src: snatVIP[lab.IPv4], Dst: backend.addrs[lab.IPv4], SrcPort: from + uint16(i), DstPort: 80, Proto: flow.TCP}}
			o.deliver(&p)
		}
	}
	syns(maxHalfOpen, 10_000)
	if b.halfOpen != maxHalfOpen || b.young != maxHalfOpen {
		t.Fatalf("%d half-open connections, %d young", b.halfOpen, b.young)
	}
	open, sockets := b.halfOpen, len(backend.sockets)
	stranger := flow.Tuple{Src: snatVIP[lab.IPv4], Dst: backend.addrs[lab.IPv4], SrcPort: 9, DstPort: 80, Proto: flow.TCP}
	third := packet{tuple: stranger, flags: ack, seq: 101, length: requestLen, link: onBackends, to: backend.index, origin: 2}
	third.ack = o.cookie(stranger) + 1
	early := third
	o.deliver(&early)
	if len(backend.sockets) != sockets {
		t.Error("a cookie counts that nobody has sent")
	}
	syn := third
	syn.flags, syn.seq, syn.length = 2, 100, 0
	o.deliver(&syn)
	if b.halfOpen != open || len(backend.sockets) != sockets {
		t.Errorf("%d half-open connections after a SYN too many", b.halfOpen)
	}
	for _, c := range []struct {
		what   string
		wrong  uint32
		accept bool
	}{{"a wrong cookie", 1, false}, {"the cookie", 0, true}} {
		p := third
		p.ack += c.wrong
		o.deliver(&p)
		id, known := backend.sockets[stranger]
		if known != c.accept || known && (o.servers.at(id).state != tcpEstablished || o.servers.at(id).nxt != p.ack+answerLen) {
			t.Errorf("%s: a connection: %v", c.what, known)
		}
	}
	for _, c := range []struct {
		after time.Duration
		left  int
	}{{6 * time.Second, maxHalfOpen}, {2 * time.Second, maxHalfOpen / 2}, {60 * time.Second, 0}} {
		o.pass(t, c.after)
		if b.halfOpen > c.left || b.young != 0 {
			t.Errorf("%v later %d are half-open, %d young; at most %d", c.after, b.halfOpen, b.young, c.left)
		}
	}
	syns(1, 40_000)
	if b.halfOpen != 1 || b.young != 1 {
		t.Errorf("afterwards: %d half-open", b.halfOpen)
	}
}
