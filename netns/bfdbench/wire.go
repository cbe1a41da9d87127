package bfdbench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"baton/netns"
)

// Offsets into an IPv4 frame, without options, with a BFD control packet.
const (
	offsetPort  = 14 + 20 + 2     // destination port
	offsetState = 14 + 20 + 8 + 1 // Sta, in the two highest bits
)

const (
	controlPort = 3784
	stateUp     = 3
)

// arrival is a BFD control packet as the kernel received it.
type arrival struct {
	at    time.Duration // CLOCK_REALTIME
	state uint8
	final bool // F is set: it answers a Poll
}

// tap captures the BFD control packets that an interface receives.
type tap struct {
	fd      int
	stopped atomic.Bool
	done    sync.WaitGroup

	mu       sync.Mutex
	arrivals []arrival
}

// listen starts a tap in a host.
func listen(host *netns.Host, link string) (*tap, error) {
	t := &tap{}
	if err := host.Do(func() error { return t.open(link) }); err != nil {
		return nil, fmt.Errorf("bfdbench: listen on %s: %w", link, err)
	}
	t.done.Go(t.read)
	return t, nil
}

func (t *tap) open(link string) (err error) {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return err
	}
	if t.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			unix.Close(t.fd)
		}
	}()
	filter, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetPort, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: controlPort, SkipFalse: 1},
		bpf.RetConstant{Val: 128},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return err
	}
	program := make([]unix.SockFilter, len(filter))
	for n, f := range filter {
		program[n] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	return errors.Join(
		unix.SetsockoptSockFprog(t.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}),
		unix.SetsockoptInt(t.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptTimeval(t.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}),
		unix.Bind(t.fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_IP), Ifindex: i.Index}),
	)
}

func htons(v uint16) uint16 { return binary.NativeEndian.Uint16([]byte{byte(v >> 8), byte(v)}) }

// read reads frames until the tap is closed. Reading late does not distort the timestamps,
// which are the kernel's.
func (t *tap) read() {
	frame, control := make([]byte, 256), make([]byte, 128)
	for !t.stopped.Load() {
		n, controls, _, from, err := unix.Recvmsg(t.fd, frame, control, 0)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return
		}
		if link, ok := from.(*unix.SockaddrLinklayer); !ok || link.Pkttype == unix.PACKET_OUTGOING || n <= offsetState {
			continue
		}
		if at, ok := stamp(control[:controls]); ok {
			t.mu.Lock()
			t.arrivals = append(t.arrivals, arrival{at: at, state: frame[offsetState] >> 6, final: frame[offsetState]&flagFinal != 0})
			t.mu.Unlock()
		}
	}
}

func stamp(control []byte) (time.Duration, bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			seconds, ns := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
			return time.Duration(seconds)*time.Second + time.Duration(ns), true
		}
	}
	return 0, false
}

// take returns what arrived since the last take.
func (t *tap) take() []arrival {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.arrivals
	t.arrivals = nil
	return taken
}

// close ends the tap.
func (t *tap) close() {
	t.stopped.Store(true)
	t.done.Wait()
	unix.Close(t.fd)
}

// pass waits for a duration.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
