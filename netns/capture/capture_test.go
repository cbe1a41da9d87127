package capture_test

import (
	"bytes"
	"io"
	"net"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/netns/capture"
	"baton/netns/internal/hostclock"
	"baton/netns/internal/testlab"
	"baton/scenarios/evidence"
	"baton/scenarios/lab"
)

var _ = Describe("RSTs", func() {
	It("of a backend without a server are attributed to the backend at both edges", func() {
		n, r := newNetwork(), &recording{}
		cfg := n.config(r)
		cfg.Role = func(node string, _ clock.Instant) string { return node + " is Master" }
		cfg.Fault = func(clock.Instant) string { return "none" }
		var asked []flow.Tuple
		cfg.Entry = func(_ string, t flow.Tuple) string { asked = append(asked, t); return "opened" }
		c := start(cfg)

		before := hostclock.Now()
		_, err := n.dial("tcp4")
		after := hostclock.Now()
		Expect(err).To(MatchError(unix.ECONNREFUSED))
		c.Stop()

		rsts := r.Of(trace.KindRST)
		Expect(rsts).To(HaveLen(2))
		for i, want := range []struct{ edge, sender string }{{lab.Backends, "backend1"}, {lab.Clients, "lb1"}} {
			Expect(*rsts[i].RST).To(And(HaveField("Edge", want.edge), HaveField("Sender", want.sender),
				HaveField("Origin", "backend1"), HaveField("LB", "lb1"), HaveField("Role", "lb1 is Master"),
				HaveField("Fault", "none"), HaveField("Entry", "opened")))
			Expect(rsts[i].At).To(And(BeNumerically(">=", before-50_000), BeNumerically("<=", after+50_000)))
		}
		Expect(asked).To(And(HaveLen(1), HaveEach(And(HaveField("Dst", flow.IPv4(198, 18, 0, 100)), HaveField("DstPort", uint16(port))))),
			"the entry is asked for once, by the original tuple")
		Expect(c.Stats().Lost).To(BeZero())
	})

	It("of a load balancer whose own stack has the VIP are attributed to it", func() {
		n, r := newNetwork(), &recording{}
		_, accepted := n.listen()
		c := start(n.config(r))
		conn, err := n.dial("tcp4")
		Expect(err).NotTo(HaveOccurred())
		defer conn.Close()
		defer (<-accepted).Close()

		n.lbs[0].Address("lo", vip+"/32") // the seed bug's mechanism: no socket, so the host answers
		_, err = conn.Write([]byte("x"))
		Expect(err).NotTo(HaveOccurred())
		_, err = conn.Read(make([]byte, 1))
		Expect(err).To(MatchError(unix.ECONNRESET))
		c.Stop()

		rsts := r.Of(trace.KindRST)
		Expect(rsts).To(HaveLen(1))
		Expect(*rsts[0].RST).To(And(HaveField("Edge", lab.Clients), HaveField("Sender", "lb1"),
			HaveField("Origin", "lb1"), HaveField("Tuple", tupleOf(conn).Reverse())))
	})

	It("of a client that aborts are attributed to the client", func() {
		n, r := newNetwork(), &recording{}
		_, accepted := n.listen()
		c := start(n.config(r))
		conn, err := n.dial("tcp4")
		Expect(err).NotTo(HaveOccurred())
		server := <-accepted
		defer server.Close()
		Expect(conn.(*net.TCPConn).SetLinger(0)).To(Succeed())
		Expect(conn.Close()).To(Succeed())
		_, err = server.Read(make([]byte, 1))
		Expect(err).To(MatchError(unix.ECONNRESET))
		c.Stop()

		rsts := r.Of(trace.KindRST)
		Expect(rsts).To(HaveLen(2))
		Expect(rsts[0].RST.Sender).To(Equal("client1"))
		Expect(rsts[1].RST).To(And(HaveField("Sender", "lb1"), HaveField("Origin", "client1"), HaveField("Edge", lab.Backends)))
	})

	It("count once where the switch floods them", func() {
		n, r := newNetwork(), &recording{}
		n.clients.Hub("br0")
		c := start(n.config(r))
		_, err := n.dial("tcp4")
		Expect(err).To(MatchError(unix.ECONNREFUSED))
		c.Stop()
		Expect(r.Of(trace.KindRST)).To(HaveLen(2), "one at each edge")
	})

	It("of an ordinary close there are none", func() {
		n, r := newNetwork(), &recording{}
		_, accepted := n.listen()
		c := start(n.config(r))
		conn, err := n.dial("tcp4")
		Expect(err).NotTo(HaveOccurred())
		server := <-accepted
		Expect(conn.(*net.TCPConn).CloseWrite()).To(Succeed())
		_, _ = server.Read(make([]byte, 1))
		server.Close()
		_, _ = conn.Read(make([]byte, 1))
		conn.Close()
		c.Stop()
		Expect(r.Of(trace.KindRST)).To(BeEmpty())
	})
})

var _ = Describe("gratuitous ARPs", func() {
	It("are recorded once each, with who sent them, at the edge of their VIP", func() {
		n, r := newNetwork(), &recording{}
		c := start(n.config(r))
		announce(n.lbs[1], "client0", vip, 1) // request form
		announce(n.lbs[1], "client0", vip, 2) // reply form
		announce(n.lbs[1], "backend0", snat, 1)
		announce(n.lbs[1], "client0", "198.18.0.77", 1) // not a VIP
		c.Stop()
		garps := r.Of(trace.KindGARP)
		Expect(nodes(garps)).To(Equal([]string{"lb2", "lb2", "lb2"}))
		Expect([]trace.GARP{*garps[0].GARP, *garps[1].GARP, *garps[2].GARP}).To(Equal([]trace.GARP{
			{Edge: lab.Clients, VIP: vip}, {Edge: lab.Clients, VIP: vip}, {Edge: lab.Backends, VIP: snat}}))
	})
})

var _ = Describe("the forwarder", func() {
	It("changes are recorded in order, with the turns of each node", func() {
		n, r := newNetwork(), &recording{}
		serveUDP(n)
		c := start(n.config(r))
		conn, err := n.dial("udp4")
		Expect(err).NotTo(HaveOccurred())
		defer conn.Close()
		for _, turn := range []struct{ lb, count int }{{0, 3}, {1, 2}, {0, 4}} {
			n.via(turn.lb)
			for range turn.count {
				exchange(conn)
			}
		}
		c.Stop()

		for _, edge := range []string{lab.Clients, lab.Backends} {
			var turns []trace.Event
			for _, e := range r.Of(trace.KindForwarder) {
				if e.Forwarder.Edge == edge {
					turns = append(turns, e)
				}
			}
			Expect(nodes(turns)).To(Equal([]string{"lb1", "lb2", "lb1", "lb1"}), edge)
			for i, from := range []string{"", "lb1", "lb2", "lb1"} {
				f := turns[i].Forwarder
				Expect(f.From).To(Equal(from))
				Expect(f.Frames).To(Equal([]uint64{0, 3, 2, 4}[i]))
				Expect(f.Last).To(BeNumerically("<=", turns[i].At))
			}
			Expect(turns[0].Forwarder.VIP).To(Equal(map[string]string{lab.Clients: vip}[edge]))
		}
	})
})

var _ = Describe("evidence", func() {
	It("is a pcapng file of the frames between two instants", func() {
		n, r := newNetwork(), &recording{}
		_, accepted := n.listen()
		cfg := n.config(r)
		cfg.Edges[0].Keep, cfg.Edges[1].Keep = 4<<20, 4<<20
		c := start(cfg)
		conn, err := n.dial("tcp4")
		Expect(err).NotTo(HaveOccurred())
		defer conn.Close()
		server := <-accepted
		defer server.Close()
		go func() { _, _ = io.Copy(server, server) }()
		exchange(conn)
		from := hostclock.Now()
		exchange(conn)
		to := hostclock.Now()
		exchange(conn)
		c.Stop()

		for _, edge := range []string{lab.Clients, lab.Backends} {
			var file bytes.Buffer
			written, err := c.WritePCAPNG(&file, edge, capture.Excerpt{Windows: []evidence.Span{{From: from, To: to}}, Limit: 1 << 20})
			Expect(err).NotTo(HaveOccurred())
			Expect(written.Cut).To(BeEmpty())
			reader, err := pcapgo.NewNgReader(&file, pcapgo.DefaultNgReaderOptions)
			Expect(err).NotTo(HaveOccurred())
			segments := 0
			for {
				data, info, err := reader.ReadPacketData()
				if err != nil {
					break
				}
				if bytes.HasSuffix(data, []byte("hello")) {
					segments++
					Expect(info.Timestamp).To(BeTemporally("~", time.Now(), time.Minute))
				}
			}
			Expect(segments).To(Equal(2), "there and back at the %s edge", edge)
		}
	})

	It("of an edge of which no frames are kept there is none", func() {
		n, r := newNetwork(), &recording{}
		cfg := n.config(r)
		cfg.Edges[0].Keep = 1 << 20
		c := start(cfg)
		c.Stop()
		_, err := c.WritePCAPNG(&bytes.Buffer{}, lab.Sync, capture.Excerpt{})
		Expect(err).To(MatchError(ContainSubstring("no frames of the sync edge are kept")))
		_, err = c.WritePCAPNG(&bytes.Buffer{}, lab.Backends, capture.Excerpt{})
		Expect(err).To(MatchError(ContainSubstring("no frames of the backends edge are kept")))
	})
})

var _ = Describe("an edge", func() {
	It("listens at the interfaces that it names, and at no others", func() {
		n, r := newNetwork(), &recording{}
		serveUDP(n)
		cfg := n.config(r)
		index := func(port string) int { return n.clients.Interface(port).Attrs().Index }
		cfg.Edges = cfg.Edges[:1]
		cfg.Edges[0].Keep = 1 << 20
		cfg.Edges[0].Interfaces = map[int]string{index("lb2"): "lb2", index("client1"): "client1"}
		c := start(cfg)
		conn, err := n.dial("udp4")
		Expect(err).NotTo(HaveOccurred())
		defer conn.Close()
		exchange(conn)
		c.Stop()
		Expect(ports(c, lab.Clients)).To(Equal([]string{"clients/client1"}), "the request left by the port of lb1")
	})

	It("at the end of a cable hears both directions", func() {
		n, r := newNetwork(), &recording{}
		serveUDP(n)
		cfg := n.config(r)
		eth0 := n.client.Interface("eth0").Attrs().Index
		cfg.Edges = []capture.Edge{{Name: lab.Sync, Host: n.client, Interfaces: map[int]string{eth0: "eth0"}, Cable: true, Keep: 1 << 20}}
		c := start(cfg)
		conn, err := n.dial("udp4")
		Expect(err).NotTo(HaveOccurred())
		defer conn.Close()
		exchange(conn)
		c.Stop()
		Expect(ports(c, lab.Sync)).To(Equal([]string{"sync/eth0", "sync/eth0"}), "there and back")
	})
})

// ports returns the ports of an edge at which the capture saw datagrams of exchange.
func ports(c *capture.Capture, edge string) (names []string) {
	var file bytes.Buffer
	_, err := c.WritePCAPNG(&file, edge, capture.Excerpt{Windows: []evidence.Span{{To: clock.Never}}, Limit: 1 << 20})
	Expect(err).NotTo(HaveOccurred())
	reader, err := pcapgo.NewNgReader(&file, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	Expect(err).NotTo(HaveOccurred())
	for {
		data, info, err := reader.ReadPacketData()
		if err != nil {
			return names
		}
		if bytes.HasSuffix(data, []byte("hello")) {
			port, err := reader.Interface(info.InterfaceIndex)
			Expect(err).NotTo(HaveOccurred())
			names = append(names, port.Name)
		}
	}
}

// announce sends a gratuitous ARP of the given operation.
func announce(from *testlab.Host, iface, addr string, operation byte) {
	source := from.Interface(iface).Attrs()
	ip := net.ParseIP(addr).To4()
	frame := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, source.HardwareAddr...)
	frame = append(frame, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation)
	frame = append(append(frame, source.HardwareAddr...), ip...)
	frame = append(append(frame, 0, 0, 0, 0, 0, 0), ip...)
	Expect(from.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: source.Index, Halen: 6})
	})).To(Succeed())
}

// serveUDP echoes datagrams to the VIP on the backend.
func serveUDP(n *network) {
	var server net.PacketConn
	Expect(n.backend.Do(func() (err error) {
		server, err = net.ListenPacket("udp4", net.JoinHostPort(vip, "80"))
		return err
	})).To(Succeed())
	DeferCleanup(func() { server.Close() })
	go func() {
		b := make([]byte, 64)
		for {
			k, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(b[:k], from)
		}
	}()
}

func exchange(conn net.Conn) {
	_, err := conn.Write([]byte("hello"))
	Expect(err).NotTo(HaveOccurred())
	Expect(conn.SetReadDeadline(time.Now().Add(2 * time.Second))).To(Succeed())
	_, err = conn.Read(make([]byte, 64))
	Expect(err).NotTo(HaveOccurred())
}
