package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// refusing returns a configuration with services without backends, one of which drops silently.
func refusing() dataplane.Config {
	cfg := testConfig()
	cfg.ICMPRate = 1000
	for _, proto := range []flow.Proto{flow.TCP, flow.UDP} {
		s := labService(proto, 90, dataplane.FullNAT, dataplane.RoundRobin)
		s.Refuse = true
		cfg.Services = append(cfg.Services, s)
	}
	return cfg
}

// checkReset checks that a frame is the RST to a SYN (RFC 9293 3.10.7.1), back to its neighbour.
func checkReset(syn, out []byte, acknowledges uint32) error {
	if len(out) < 54 || !bytes.Equal(out[:6], syn[6:12]) || !bytes.Equal(out[6:12], syn[:6]) {
		return fmt.Errorf("%x does not go back to the neighbour", out)
	}
	tcp := out[partsOf(out).l4:]
	seq, acked := binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:])
	if tupleOf(out) != tupleOf(syn).Reverse() || tcp[13] != rst|ack || seq != 0 || acked != acknowledges || len(tcp) != 20 {
		return fmt.Errorf("%s, flags %#x, seq %d, ack %d (want %d), %d bytes", tupleOf(out), tcp[13], seq, acked, acknowledges, len(tcp))
	}
	return checkSums(out)
}

func TestAFlowWithoutABackendIsRefused(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		eachSubject(t, refusing(), func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			o := toVIP(flow.TCP, 40000, 90)
			plain := fromClient(o, syn)
			for name, frame := range map[string][]byte{
				"a SYN":                     withNumbers(plain, 0xfffffffe, 0),
				"one with data":             withNumbers(frameTo(clientMAC, o, syn, "too long to be padded"), 0xfffffffe, 0),
				"one with something before": withNumbers(padded(plain), 0xfffffffe, 0),
			} {
				before := counters(t, s)
				_, out := s.packet("client0", frame)
				acknowledges := uint32(0xffffffff)
				if length := len(frame) - len(withoutData(frame)); length > 0 {
					acknowledges += uint32(length)
				}
				if err := checkReset(frame, out, acknowledges); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if after := counters(t, s); after.Resets != before.Resets+1 || after.Dropped[dataplane.DropNoBackend] != before.Dropped[dataplane.DropNoBackend]+1 {
					t.Errorf("%s: counted %+v", name, after)
				}
			}
			udp := toVIP(flow.UDP, 40000, 90)
			kind, code := 3, 3
			if inIPv6 {
				kind, code = 1, 4
			}
			want := fmt.Sprintf("refuse no-backend: icmp %d/%d %s>%s about %s mtu 0", kind, code, udp.Dst, udp.Src, udp)
			if got, _ := fate(t, s, "client0", fromClient(udp, 0)); got != want {
				t.Errorf("a datagram: %s, want %s", got, want)
			}
			for _, c := range []struct {
				name  string
				frame []byte
				want  string
			}{
				{"mid-flow", fromClient(o, ack), "drop miss"},
				{"a RST", fromClient(o, rst), "drop miss"},
				{"the first fragment of a SYN", fragments(frameTo(clientMAC, o, syn, long), 7, 24)[0], "drop no-backend"},
				{"a service that does not refuse", fromClient(toVIP(flow.TCP, 40000, emptyPort), syn), "drop no-backend"},
			} {
				if got, _ := fate(t, s, "client0", c.frame); got != c.want {
					t.Errorf("%s: %s, want %s", c.name, got, c.want)
				}
			}
			relayed := fromPeer(step{link: "client0", frame: plain}).frame
			if err := knowPeer().do(s); err != nil {
				t.Fatal(err)
			}
			if got, _ := fate(t, s, "client0", relayed); got != "forward "+o.Reverse().String() {
				t.Errorf("the RST to a SYN that the peer has sent on: %s, want it to go to the client", got)
			}
			if err := s.Lease(0); err != nil {
				t.Fatal(err)
			}
			for _, frame := range [][]byte{plain, fromClient(udp, 0)} {
				if got, _ := fate(t, s, "client0", frame); got != "drop no-lease" {
					t.Errorf("without the lease: %s", got)
				}
			}
		})
	})
}

// padded gives a frame IPv4 options, or an IPv6 extension header, without effect.
func padded(frame []byte) []byte {
	at, more := 34, []byte{1, 1, 1, 0}
	if isIPv6(frame) {
		at, more = 54, []byte{frame[20], 0, 1, 4, 0, 0, 0, 0}
	}
	out := append(append(append([]byte(nil), frame[:at]...), more...), frame[at:]...)
	if isIPv6(frame) {
		binary.BigEndian.PutUint16(out[18:], uint16(len(out)-54))
		return withIP(out, 6, 0) // hop-by-hop options
	}
	binary.BigEndian.PutUint16(out[16:], uint16(len(out)-14))
	return withIP(out, 0, 0x46)
}

// withoutData removes the data of a TCP segment.
func withoutData(frame []byte) []byte {
	l4 := partsOf(frame).l4
	return frame[:l4+int(frame[l4+12]>>4)*4]
}

// RSTs and ICMP errors share a rate.
func TestRefusalsAreBounded(t *testing.T) {
	cfg := refusing()
	cfg.ICMPRate = 3
	eachSubject(t, cfg, func(t *testing.T, s subject) {
		if err := s.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		for i := range uint16(10) {
			s.packet("client0", fromClient(toVIP(flow.TCP, 40000+i, 90), syn))
		}
		s.packet("client0", fromClient(toVIP(flow.UDP, 40000, 90), 0))
		s.advance(origin.Add(2 * time.Second))
		s.packet("client0", fromClient(toVIP(flow.UDP, 40000, 90), 0))
		if c := counters(t, s); c.Resets != 3 || c.ICMPErrors != 1 || c.Dropped[dataplane.DropNoBackend] != 12 {
			t.Errorf("%d RSTs and %d errors about %d packets, want 3 and 1 about 12", c.Resets, c.ICMPErrors, c.Dropped[dataplane.DropNoBackend])
		}
	})
}

// A client's kernel accepts the RST and the port unreachable, also if the link has no checksum
// offload: then the kernel completes the checksum of the quoted datagram.
func TestAClientIsToldThatItIsRefused(t *testing.T) {
	for _, offload := range []bool{true, false} {
		t.Run(fmt.Sprintf("offload=%t", offload), func(t *testing.T) {
			bothFamilies(t, func(t *testing.T) {
				l := newLab(t, refusing())
				l.lease(t, clock.Never)
				if !offload {
					inside(t, l.lb, func() error { return noChecksumOffload("client0") })
				}
				begin := time.Now()
				if _, err := l.tryDial("tcp", 90); !errors.Is(err, unix.ECONNREFUSED) {
					t.Errorf("tcp: %v after %v, want a refusal; %+v", err, time.Since(begin), counters(t, l.dp))
				}
				conn := l.dial(t, "udp", 90)
				if _, err := conn.Write([]byte("hello")); err != nil {
					t.Fatal(err)
				}
				if _, err := conn.Read(make([]byte, 8)); !errors.Is(err, unix.ECONNREFUSED) {
					t.Errorf("udp: %v, want a refusal; %+v", err, counters(t, l.dp))
				}
			})
		})
	}
}
