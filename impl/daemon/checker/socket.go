package checker

import (
	"net"

	"golang.org/x/sys/unix"
)

// pendingError returns the ICMP error that the socket has received since the last call.
func pendingError(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	pending := 0
	var failed error
	if err := raw.Control(func(fd uintptr) {
		pending, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	}); err != nil {
		return err
	}
	if failed == nil && pending != 0 {
		failed = unix.Errno(pending)
	}
	return failed
}
