package checker

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	pion "github.com/pion/sctp"

	"baton/impl/daemon/config"
	"baton/impl/sctp"
)

// rawEnd is a raw SCTP socket of a host with one peer: the sender of the first packet.
type rawEnd struct {
	*net.IPConn
	peer *net.IPAddr
}

func newRawEnd(t *testing.T, at string) *rawEnd {
	t.Helper()
	network := "ip4:132"
	if netip.MustParseAddr(at).Is6() {
		network = "ip6:132"
	}
	conn, err := net.ListenIP(network, &net.IPAddr{IP: net.ParseIP(at)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &rawEnd{IPConn: conn}
}

func (e *rawEnd) Read(b []byte) (int, error) {
	n, from, err := e.ReadFromIP(b)
	if err == nil && e.peer == nil {
		e.peer = from
	}
	return n, err
}

func (e *rawEnd) Write(b []byte) (int, error) { return e.WriteToIP(b, e.peer) }

// Flags of answers with a wrong checksum, and from another port than the probed one.
const (
	unsound = 0x80
	astray  = 0x40
)

// answering answers the next INIT with packets.
func (e *rawEnd) answering(t *testing.T, answers func(p sctp.Packet) []sctp.Packet) {
	go func() {
		buf := make([]byte, 1500)
		n, err := e.Read(buf)
		if err != nil {
			return
		}
		p, ok := sctp.Parse(buf[:n])
		if !ok || !sctp.Sound(buf[:n]) || p.Chunk != sctp.Init || p.Tag != 0 || p.InitiateTag() == 0 {
			t.Errorf("the probe sent %x", buf[:n])
		}
		for _, a := range answers(p) {
			a.SrcPort, a.DstPort = p.DstPort, p.SrcPort
			if a.Flags&astray != 0 {
				a.SrcPort++
			}
			b := a.Marshal()
			if a.Flags&unsound != 0 {
				b[sctp.HeaderLen-1] ^= 1
			}
			if _, err := e.Write(b); err != nil {
				t.Error(err)
			}
		}
	}()
}

// Another implementation answers the probe, which then aborts the association.
func TestAnAssociationIsProbed(t *testing.T) {
	for _, at := range []netip.AddrPort{netip.MustParseAddrPort("127.0.0.2:5000"), netip.MustParseAddrPort("[::1]:5000")} {
		for s, check := range map[config.Proto]config.Check{config.SCTP: {Type: config.CheckPort}, config.UDP: {Type: config.CheckSCTP}} {
			inSpace(t, func(c *Checker) {
				ended := make(chan error, 1)
				end := newRawEnd(t, at.Addr().String())
				go func() {
					_, err := pion.ServerWithOptions(pion.WithNetConn(end))
					ended <- err
				}()
				want(t, c, service(s, check), at, "")
				select {
				case err := <-ended:
					if !errors.Is(err, pion.ErrAssociationClosedBeforeConn) {
						t.Errorf("the server's association: %v", err)
					}
				case <-time.After(patience):
					t.Error("the server still waits for the cookie")
				}
			})
			if t.Failed() {
				return // each further wait would also take its time
			}
		}
	}
}

func TestAnAssociationIsRefused(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.2:5000")
	refusal := func(p sctp.Packet) []sctp.Packet {
		a, _ := sctp.Refuse(p)
		return []sctp.Packet{a}
	}
	initAck := func(p sctp.Packet, tag uint32) sctp.Packet {
		return sctp.Packet{Tag: tag, Chunk: sctp.InitAck, Value: p.Value}
	}
	for _, tt := range []struct {
		name    string
		answers func(p sctp.Packet) []sctp.Packet
		failure string
	}{
		{"by an ABORT", refusal, "connection refused"},
		{"by an ABORT with another tag", func(p sctp.Packet) []sctp.Packet {
			return []sctp.Packet{{Tag: p.InitiateTag() + 1, Chunk: sctp.Abort}, initAck(p, p.InitiateTag())}
		}, ""},
		{"by an ABORT of another port", func(p sctp.Packet) []sctp.Packet {
			return []sctp.Packet{{Tag: p.InitiateTag(), Chunk: sctp.Abort, Flags: astray}, initAck(p, p.InitiateTag())}
		}, ""},
		{"by an ABORT with a wrong checksum", func(p sctp.Packet) []sctp.Packet {
			return []sctp.Packet{{Tag: p.InitiateTag(), Chunk: sctp.Abort, Flags: unsound}, initAck(p, p.InitiateTag())}
		}, ""},
		{"by an INIT ACK without a tag of its own", func(p sctp.Packet) []sctp.Packet {
			return []sctp.Packet{{Tag: p.InitiateTag(), Chunk: sctp.InitAck, Value: make([]byte, len(p.Value))}}
		}, "no answer within"},
		{"by silence", func(sctp.Packet) []sctp.Packet { return nil }, "no answer within"},
		{"by an INIT ACK with another tag", func(p sctp.Packet) []sctp.Packet { return []sctp.Packet{initAck(p, p.InitiateTag()+1)} }, "no answer within"},
	} {
		inSpace(t, func(c *Checker) {
			s := service(config.SCTP, config.Check{Type: config.CheckPort})
			if tt.failure == "no answer within" {
				s.Check.Timeout = config.Duration(50 * time.Millisecond)
			}
			newRawEnd(t, "127.0.0.2").answering(t, tt.answers)
			want(t, c, s, at, tt.failure)
		})
	}
	inSpace(t, func(c *Checker) {
		want(t, c, service(config.SCTP, config.Check{Type: config.CheckPort}), netip.MustParseAddrPort("127.0.0.3:5000"), "protocol not available")
	})
}
