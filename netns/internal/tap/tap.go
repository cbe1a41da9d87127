// Package tap reads frames of an interface with the kernel's timestamps, for benchmarks. Package capture is
// for runs, which must not lose a frame.
package tap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Frame is a frame as the kernel saw it.
type Frame struct {
	At   time.Duration // CLOCK_REALTIME
	Out  bool          // the interface sent it
	Data []byte        // as much as the filter returned; valid during the call that passes it
}

const (
	maxFrame  = 256
	bufferLen = 4 << 20 // of the socket
	stopEvery = 100 * time.Millisecond
)

// EveryProtocol is ETH_P_ALL in network byte order, for the address of a packet socket.
var EveryProtocol = binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL & 0xff})

// Tap is an open socket and its reader.
type Tap struct {
	fd      int
	stopped atomic.Bool
	done    sync.WaitGroup
}

// Open reads the frames that a filter lets through, in both directions, in the calling thread's network
// namespace. It passes each to take, from a goroutine of its own. Reading late does not distort At.
func Open(link string, filter []bpf.Instruction, take func(Frame)) (*Tap, error) {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	program, err := assemble(filter)
	if err != nil {
		return nil, fmt.Errorf("tap: filter of %s: %w", link, err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	timeout := unix.NsecToTimeval(stopEvery.Nanoseconds())
	if err := errors.Join(
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bufferLen),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		// A socket of ETH_P_IP alone gets no outgoing frames.
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: EveryProtocol, Ifindex: i.Index}),
	); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("tap: open a socket on %s: %w", link, err)
	}
	t := &Tap{fd: fd}
	t.done.Go(func() { t.read(take) })
	return t, nil
}

// Close ends the reader and closes the socket.
func (t *Tap) Close() {
	t.stopped.Store(true)
	t.done.Wait()
	unix.Close(t.fd)
}

func (t *Tap) read(take func(Frame)) {
	data, control := make([]byte, maxFrame), make([]byte, 128)
	for !t.stopped.Load() {
		n, controls, _, from, err := unix.Recvmsg(t.fd, data, control, 0)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return
		}
		at, stamped := stamp(control[:controls])
		if link, known := from.(*unix.SockaddrLinklayer); known && stamped {
			take(Frame{At: at, Out: link.Pkttype == unix.PACKET_OUTGOING, Data: data[:n]})
		}
	}
}

func assemble(filter []bpf.Instruction) ([]unix.SockFilter, error) {
	raw, err := bpf.Assemble(filter)
	if err != nil {
		return nil, err
	}
	program := make([]unix.SockFilter, len(raw))
	for n, f := range raw {
		program[n] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	return program, nil
}

// stamp returns the time at which the kernel saw a frame.
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
