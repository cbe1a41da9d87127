package bpf

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// hairpinTests: a backend that is a client of a VIP.
func hairpinTests() []packetTest {
	hairpin := func(proto flow.Proto, sport, dport uint16) flow.Tuple {
		return tuple(proto, backendAddr, sport, vipAddr, dport)
	}
	replyTo := func(o flow.Tuple) flow.Tuple {
		return tuple(o.Proto, backendAddr, 8080, snatAddr, model.SNATPort(testConfig().SNATPorts, model.Hash(o)^testConfig().SNATSeed, 0))
	}
	tcp, udp := hairpin(flow.TCP, 5000, fullnatPort), hairpin(flow.UDP, 5000, fullnatPort)
	tcpReply, udpReply := replyTo(tcp), replyTo(udp)
	split := fragments
	if inIPv6 {
		split = fragments6
	}
	return []packetTest{{
		rule: "a backend that is a client of a fullnat VIP is served like any other",
		steps: []step{
			back(tcp, syn, forwarded(tcpReply.Reverse())), back(tcpReply, syn|ack, forwarded(tcp.Reverse())),
			back(tcp, ack, forwarded(tcpReply.Reverse())), back(tcp, ack|psh, forwarded(tcpReply.Reverse())),
			back(tcpReply, ack|psh, forwarded(tcp.Reverse())),
		},
		table: []string{line(tcp, tcpReply, flow.Established, flow.Opened, lifetimes.Established)},
		events: []string{
			line(tcp, tcpReply, flow.SynSent, flow.Opened, 60*time.Second),
			line(tcp, tcpReply, flow.Established, flow.Opened, lifetimes.Established),
		},
	}, {
		rule: "by UDP too",
		steps: []step{
			back(udp, 0, forwarded(udpReply.Reverse())), back(udpReply, 0, forwarded(udp.Reverse())),
		},
		table: []string{line(udp, udpReply, flow.Assured, flow.Opened, 120*time.Second)},
		events: []string{
			line(udp, udpReply, flow.Unreplied, flow.Opened, 30*time.Second),
			line(udp, udpReply, flow.Assured, flow.Opened, 120*time.Second),
		},
	}, {
		rule:  "the first fragment of its datagram is dropped, since the others would be",
		steps: []step{{link: "backend0", frame: split(frameTo(backendMAC, udp, 0, long), 7, 24)[0], want: "drop miss"}},
	}, {
		rule: "a client in the name of a backend opens nothing, also with this node's hardware address",
		steps: []step{
			in(tcp, syn, "drop source"),
			{link: "client0", frame: edited(fromClient(tcp, syn), func(f []byte) []byte { copy(f[6:], backendMAC); return f }), want: "drop source"},
			in(udp, 0, "drop source"),
		},
	}, {
		rule:  "a segment in mid-flow without an entry opens nothing",
		steps: []step{back(tcp, ack, "drop miss")},
	}, {
		rule: "without the lease its packet is relayed like a reply",
		steps: []step{
			knowPeer(), leaseUntil(origin), relayUntil(origin.Add(time.Hour)),
			back(tcp, syn, "relay "+tcp.String()),
		},
	}, {
		rule: "relayed by the peer it is served under the lease",
		steps: []step{
			knowPeer(), fromPeer(back(tcp, syn, forwarded(tcpReply.Reverse()))),
		},
		table:  []string{line(tcp, tcpReply, flow.SynSent, flow.Opened, 60*time.Second)},
		events: []string{line(tcp, tcpReply, flow.SynSent, flow.Opened, 60*time.Second)},
	}, {
		rule: "relayed by the peer it opens nothing without the lease",
		steps: []step{
			knowPeer(), leaseUntil(origin), fromPeer(back(tcp, syn, "drop miss")),
		},
	}}
}

// TestABackendIsAClient: real connections from behind the VIP, whose packets leave on the link on which
// they came.
func TestABackendIsAClient(t *testing.T) {
	plain := func(testing.TB) {}
	for name, over := range map[string]func(testing.TB){"IPv4": plain, "IPv6": overIPv6, "XDP": overXDP, "replies deferred": plain} {
		t.Run(name, func(t *testing.T) {
			over(t)
			empty := labService(flow.TCP, emptyPort, dataplane.FullNAT, dataplane.RoundRobin)
			empty.Refuse = true
			port := portOfMode(dataplane.FullNAT)
			cfg := labConfig(empty, labService(flow.TCP, port, dataplane.FullNAT, dataplane.RoundRobin, port))
			cfg.Defer = name == "replies deferred" // nobody sends them here
			l := newLab(t, cfg)
			l.lease(t, clock.Never)
			go echo(l.listen(t, port))
			conn, err := l.tryDialFrom(l.backend, "tcp", port)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			sent := bytes.Repeat([]byte("round the corner and back. "), 1<<15)
			go func() {
				conn.Write(sent)
				conn.(*net.TCPConn).CloseWrite()
			}()
			if received, err := io.ReadAll(conn); err != nil || !bytes.Equal(received, sent) {
				t.Errorf("received %d of %d bytes: %v", len(received), len(sent), err)
			}
			if _, err := l.tryDialFrom(l.backend, "tcp", emptyPort); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("a service without a backend that refuses: %v, want a RST", err)
			}
		})
	}
}
