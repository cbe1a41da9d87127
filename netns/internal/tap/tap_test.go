package tap_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"baton/netns"
	"baton/netns/internal/tap"
	"baton/scenarios/lab"
)

// A tap passes what its filter lets through, sent and received, with the kernel's time.
func TestATapHearsBothDirections(t *testing.T) {
	if err := netns.Probe(); err != nil {
		t.Skipf("needs namespaces: %v", err)
	}
	pair, err := netns.NewPair(lab.Topo{Clients: 1, Backends: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close(t.Context())
	filter := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 14 + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipFalse: 1},
		bpf.RetConstant{Val: 128},
		bpf.RetConstant{Val: 0},
	}
	type heard struct {
		tap.Frame
		text []byte
	}
	frames := make(chan heard, 100)
	if err := pair.Host("client1").Do(func() error {
		opened, err := tap.Open("lo", filter, func(f tap.Frame) {
			frames <- heard{f, bytes.Clone(f.Data[min(len(f.Data), 14+20+8):])}
		})
		if err != nil {
			return err
		}
		defer opened.Close()
		socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer socket.Close()
		before := time.Now()
		if _, err := socket.WriteTo([]byte("datagram"), socket.LocalAddr()); err != nil {
			return err
		}
		for out := range 2 { // the loopback shows a frame as sent, then as received
			select {
			case f := <-frames:
				if f.Out != (out == 0) || string(f.text) != "datagram" {
					t.Errorf("frame %d: out %v, %q", out, f.Out, f.text)
				}
				if at := time.Unix(0, int64(f.At)); at.Before(before.Truncate(0)) || at.After(time.Now().Round(0)) {
					t.Errorf("frame %d came at %v, after %v", out, at, before)
				}
			case <-time.After(10 * time.Second):
				t.Errorf("frame %d was not heard", out)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
