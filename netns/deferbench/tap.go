package deferbench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	gosync "sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"baton/netns"
	"baton/scenarios/lab"
)

// tap captures frames of one link.
type tap struct {
	link    link
	fd      int
	stopped atomic.Bool
	done    gosync.WaitGroup

	mu     gosync.Mutex
	frames []frame
}

type taps []*tap

// listenAll starts a tap on each link of a node.
func listenAll(host *netns.Host) (all taps, err error) {
	for i, name := range [links]string{client: lab.Clients, backend: lab.Backends, sync: lab.Sync} {
		cable, _ := host.Interface(name)
		t := &tap{link: link(i)}
		if err := host.Do(func() error { return t.open(cable.Name) }); err != nil {
			return all, fmt.Errorf("deferbench: listen on %s: %w", cable.Name, err)
		}
		t.done.Go(t.read)
		all = append(all, t)
	}
	return all, nil
}

// take returns the frames since the last take.
func (all taps) take() (frames []frame) {
	for _, t := range all {
		t.mu.Lock()
		frames = append(frames, t.frames...)
		t.frames = nil
		t.mu.Unlock()
	}
	return frames
}

func (all taps) close() {
	for _, t := range all {
		t.stopped.Store(true)
		t.done.Wait()
		unix.Close(t.fd)
	}
}

// Offsets into an Ethernet frame with an IPv4 packet without options.
const (
	offsetLength   = 14 + 2
	offsetProtocol = 14 + 9
	offsetTCP      = 14 + 20
	offsetFlags    = offsetTCP + 13

	snapLen   = 64
	flagSYN   = 0x02
	flagACK   = 0x10
	bufferLen = 4 << 20
)

func (t *tap) open(name string) (err error) {
	i, err := net.InterfaceByName(name)
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
	flags := []bpf.Instruction{bpf.LoadConstant{Val: flagSYN}} // on the sync link every segment
	if t.link != sync {
		flags = []bpf.Instruction{bpf.LoadAbsolute{Off: offsetFlags, Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: flagSYN}}
	}
	filter, err := bpf.Assemble(append(append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetProtocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipFalse: uint8(len(flags)) + 2},
	}, flags...),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: flagSYN, SkipFalse: 1},
		bpf.RetConstant{Val: snapLen},
		bpf.RetConstant{Val: 0},
	))
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
		unix.SetsockoptInt(t.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bufferLen),
		unix.SetsockoptTimeval(t.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}),
		unix.Bind(t.fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: i.Index}), // of ETH_P_IP it would get no outgoing ones
	)
}

func htons(v uint16) uint16 { return binary.NativeEndian.Uint16([]byte{byte(v >> 8), byte(v)}) }

// read reads frames until the tap is closed. Reading late does not distort the timestamps.
func (t *tap) read() {
	b, control := make([]byte, snapLen), make([]byte, 128)
	for !t.stopped.Load() {
		n, controls, _, from, err := unix.Recvmsg(t.fd, b, control, 0)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return
		}
		at, ok := stamp(control[:controls])
		way, known := from.(*unix.SockaddrLinklayer)
		if !ok || !known || n < offsetFlags+1 || t.link == sync && !hasData(b) {
			continue
		}
		f := frame{at: at, link: t.link, out: way.Pkttype == unix.PACKET_OUTGOING}
		if t.link != sync {
			f.syn = b[offsetFlags]&flagACK == 0
			f.seq, f.ack = binary.BigEndian.Uint32(b[offsetTCP+4:]), binary.BigEndian.Uint32(b[offsetTCP+8:])
		}
		t.mu.Lock()
		t.frames = append(t.frames, f)
		t.mu.Unlock()
	}
}

// hasData reports whether a TCP segment has any.
func hasData(b []byte) bool {
	header := 20 + int(b[offsetTCP+12]>>4)*4
	return int(binary.BigEndian.Uint16(b[offsetLength:])) > header
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
