package sctpstack_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"baton/impl/sctp"
	"baton/netns/internal/sctpstack"
	"baton/netns/internal/testlab"
)

func TestStack(t *testing.T) { testlab.Run(t, "sctpstack") }

var (
	at  = netip.MustParseAddrPort("198.18.0.21:5000")
	at6 = netip.MustParseAddrPort("[2001:2::21]:5000")
)

// pair is a client and a server, each with a stack.
type pair struct {
	host           *testlab.Host // the client
	client, server *sctpstack.Stack
}

func newPair() *pair {
	sw, client, server := testlab.NewHost("switch", DeferCleanup), testlab.NewHost("client", DeferCleanup), testlab.NewHost("server", DeferCleanup)
	sw.Bridge("br0")
	for _, host := range []*testlab.Host{client, server} {
		host.Sysctl("net/ipv6/conf/default/accept_dad", "0")
	}
	client.Plug("eth0", sw, "br0", "198.18.0.11/24", "2001:2::11/64")
	server.Plug("eth0", sw, "br0", "198.18.0.21/24", "2001:2::21/64")
	client.Reach("198.18.0.21")
	p := &pair{host: client}
	for host, stack := range map[*testlab.Host]**sctpstack.Stack{client: &p.client, server: &p.server} {
		Expect(host.Do(func() (err error) {
			*stack, err = sctpstack.Open()
			return err
		})).To(Succeed())
		DeferCleanup((*stack).Close)
	}
	return p
}

// dial opens an association.
func (p *pair) dial(port uint16, to netip.AddrPort) *sctpstack.Socket {
	var c *sctpstack.Socket
	Expect(p.host.Do(func() (err error) {
		c, err = p.client.Dial(port, to)
		return err
	})).To(Succeed())
	DeferCleanup(c.Close)
	return c
}

// readable waits for a descriptor.
func readable(fd int) {
	GinkgoHelper()
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(10*time.Second/time.Millisecond))
	Expect(err).NotTo(HaveOccurred())
	Expect(n).To(Equal(1))
}

// take reads the next message, or the end.
func take(c *sctpstack.Socket) (string, error) {
	buf := make([]byte, 100)
	for {
		readable(c.FD())
		n, err := c.Read(buf)
		if err != unix.EAGAIN {
			return string(buf[:n]), err
		}
	}
}

// established opens an association, with one message, and accepts it.
func (p *pair) established(l *sctpstack.Listener, port uint16, to netip.AddrPort) (client, server *sctpstack.Socket) {
	GinkgoHelper()
	client = p.dial(port, to)
	readable(client.FD())
	Expect(client.Failure()).NotTo(HaveOccurred())
	_, err := client.Write([]byte("hello"))
	Expect(err).NotTo(HaveOccurred())
	for err = unix.EAGAIN; err == unix.EAGAIN; {
		readable(l.FD())
		server, err = l.Accept()
	}
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(server.Close)
	Expect(take(server)).To(Equal("hello"))
	return client, server
}

func (p *pair) listen(a netip.AddrPort) *sctpstack.Listener {
	l, err := p.server.Listen(a)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(l.Close)
	return l
}

// wire returns a raw socket of the client's host, which receives everything that the stacks send to it.
func (p *pair) wire() *net.IPConn {
	var conn *net.IPConn
	Expect(p.host.Do(func() (err error) {
		conn, err = net.ListenIP("ip4:132", nil)
		return err
	})).To(Succeed())
	DeferCleanup(conn.Close)
	Expect(conn.SetReadDeadline(time.Now().Add(10 * time.Second))).To(Succeed())
	return conn
}

// answer sends a packet to the server and returns the next one from it.
func answer(conn *net.IPConn, p sctp.Packet) sctp.Packet {
	GinkgoHelper()
	send(conn, p.Marshal())
	return next(conn)
}

func send(conn *net.IPConn, packet []byte) {
	GinkgoHelper()
	_, err := conn.WriteToIP(packet, &net.IPAddr{IP: at.Addr().AsSlice()})
	Expect(err).NotTo(HaveOccurred())
}

func next(conn *net.IPConn) sctp.Packet {
	GinkgoHelper()
	buf := make([]byte, 1500)
	n, _, err := conn.ReadFromIP(buf)
	Expect(err).NotTo(HaveOccurred())
	Expect(sctp.Sound(buf[:n])).To(BeTrue())
	p, ok := sctp.Parse(buf[:n])
	Expect(ok).To(BeTrue())
	return p
}

var _ = Describe("a stack", func() {
	for _, to := range []netip.AddrPort{at, at6} {
		It("carries messages of both ends to "+to.String()+" and shuts down", func() {
			p := newPair()
			client, server := p.established(p.listen(to), 0, to)
			Expect(client.Local().Port()).NotTo(BeZero())
			for _, message := range []string{"one", "two", "three"} {
				_, err := server.Write([]byte(message))
				Expect(err).NotTo(HaveOccurred())
			}
			Expect(take(client)).To(Equal("one"))
			Expect(take(client)).To(Equal("two"))
			Expect(take(client)).To(Equal("three"))
			client.Shutdown()
			Expect(take(server)).To(BeEmpty())
			Expect(take(client)).To(BeEmpty())
		})
	}

	It("tells the other end of an ABORT", func() {
		p := newPair()
		client, server := p.established(p.listen(at), 0, at)
		client.Reset()
		client.Close()
		_, err := take(server)
		Expect(err).To(MatchError(unix.ECONNRESET))
	})

	It("refuses an association to a port where nobody listens, and one whose port is in use", func() {
		p := newPair()
		l := p.listen(at)
		p.established(l, 4000, at)
		Expect(p.host.Do(func() error {
			_, err := p.client.Dial(4000, at)
			return err
		})).To(MatchError(unix.EADDRINUSE))
		l.Close()
		c := p.dial(0, at)
		readable(c.FD())
		Expect(c.Failure()).To(MatchError(unix.ECONNREFUSED))
	})

	It("shuts the associations of a socket down that is closed, and aborts those that it has forgotten", func() {
		p := newPair()
		l := p.listen(at)
		client, server := p.established(l, 0, at)
		server.Close()
		Expect(take(client)).To(BeEmpty())

		client, _ = p.established(l, 0, at)
		p.server.Forget()
		_, err := client.Write([]byte("are you there?"))
		Expect(err).NotTo(HaveOccurred())
		_, err = take(client)
		Expect(err).To(MatchError(unix.ECONNRESET))
	})

	It("ignores packets with another tag or a wrong checksum (RFC 9260 8.5, 6.8)", func() {
		p := newPair()
		client, server := p.established(p.listen(at), 4001, at)
		conn := p.wire()
		abort := sctp.Packet{SrcPort: 4001, DstPort: at.Port(), Tag: 1, Chunk: sctp.Abort}
		reflected := abort
		reflected.Flags = sctp.Reflected
		corrupt := sctp.Packet{SrcPort: 4002, DstPort: at.Port(), Tag: 1, Chunk: sctp.Data}.Marshal()
		corrupt[len(corrupt)-1] ^= 1
		for _, packet := range [][]byte{abort.Marshal(), reflected.Marshal(), corrupt} {
			send(conn, packet)
		}
		_, err := client.Write([]byte("still here"))
		Expect(err).NotTo(HaveOccurred())
		Expect(take(server)).To(Equal("still here"))
		p.expectNo(conn, sctp.Abort)
	})

	It("answers packets of no association", func() {
		p := newPair()
		p.listen(at)
		conn := p.wire()
		Expect(answer(conn, sctp.Packet{SrcPort: 4003, DstPort: at.Port(), Tag: 7, Chunk: sctp.Data})).
			To(And(HaveField("Chunk", BeEquivalentTo(sctp.Abort)), HaveField("Flags", BeEquivalentTo(sctp.Reflected)), HaveField("Tag", BeEquivalentTo(7))))
	})

	It("keeps an association when an INIT of its ports comes, until a cookie of it is echoed", func() {
		p := newPair()
		l := p.listen(at)
		client, server := p.established(l, 4004, at)
		conn := p.wire()
		blind := sctp.Packet{SrcPort: 4004, DstPort: at.Port(), Chunk: sctp.Init,
			Value: slices.Concat(binary.BigEndian.AppendUint32(nil, 99), []byte{0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1})}
		send(conn, blind.Marshal())
		for got := next(conn); got.Chunk != sctp.InitAck; got = next(conn) {
		}
		_, err := client.Write([]byte("still here"))
		Expect(err).NotTo(HaveOccurred())
		Expect(take(server)).To(Equal("still here"))

		p.client.Forget()
		again, second := p.established(l, 4004, at)
		_, err = second.Write([]byte("anew"))
		Expect(err).NotTo(HaveOccurred())
		Expect(take(again)).To(Equal("anew"))
		over, err := take(server)
		Expect(over).To(BeEmpty())
		Expect(err).To(Or(BeNil(), MatchError(unix.ECONNRESET)), "the association before ends with the cookie, or by the answer to a late SACK")
	})
})

// expectNo fails if a packet received so far has a chunk of a type.
func (p *pair) expectNo(conn *net.IPConn, chunk uint8) {
	GinkgoHelper()
	Expect(conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))).To(Succeed())
	buf := make([]byte, 1500)
	for {
		n, _, err := conn.ReadFromIP(buf)
		if err != nil {
			return
		}
		got, _ := sctp.Parse(buf[:n])
		Expect(got.Chunk).NotTo(Equal(chunk))
	}
}
