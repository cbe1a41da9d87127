package transport

import (
	"context"
	"fmt"
	"math"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// listen binds the port. The sync link may come up after the node: FREEBIND allows an
// address that does not exist yet. Linux accepts packets to any of its addresses on any
// link; a filter drops those from links other than the sync link, which hides the port
// there.
func listen(cfg Config) (net.Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: keepAlive, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) {
			if err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1); err == nil {
				err = ignore(int(fd), cfg.NotFrom)
			}
		}); cerr != nil {
			return cerr
		}
		return err
	}}
	listener, err := lc.Listen(context.Background(), "tcp", cfg.Local.String())
	if err != nil {
		return nil, fmt.Errorf("transport: listen for peer %s: %w", cfg.Peer, err)
	}
	return listener, nil
}

// ignore drops packets from some links, at a socket and those that it accepts.
func ignore(socket int, links []int) error {
	if len(links) == 0 {
		return nil
	}
	program := []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtInterfaceIndex}}
	for _, index := range links {
		program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(index), SkipFalse: 1}, bpf.RetConstant{})
	}
	raw, err := bpf.Assemble(append(program, bpf.RetConstant{Val: math.MaxUint32}))
	if err != nil {
		return fmt.Errorf("transport: assemble filter: %w", err)
	}
	filter := unix.SockFprog{Len: uint16(len(raw)), Filter: (*unix.SockFilter)(unsafe.Pointer(&raw[0]))}
	if err := unix.SetsockoptSockFprog(socket, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter); err != nil {
		return fmt.Errorf("transport: attach filter: %w", err)
	}
	return nil
}
