package bfdio

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxPacket holds any BFD control packet: its Length field is one byte. What is
// longer is cut, and the core drops it by its length.
const maxPacket = 256

// receiver is the memory of recvmsg, kept so that a packet costs no allocation.
type receiver struct {
	header  unix.Msghdr
	vector  unix.Iovec
	from    unix.RawSockaddrInet4
	data    [maxPacket]byte
	control [64]byte
}

func (r *receiver) init() {
	r.vector.Base = &r.data[0]
	r.vector.SetLen(len(r.data))
	r.header.Name = (*byte)(unsafe.Pointer(&r.from))
	r.header.Iov = &r.vector
	r.header.SetIovlen(1)
	r.header.Control = &r.control[0]
}

// receive reads one datagram from a descriptor that does not block.
func (r *receiver) receive(fd int) (data []byte, ttl uint8, from [4]byte, err error) {
	r.header.Namelen = unix.SizeofSockaddrInet4
	r.header.SetControllen(len(r.control))
	n, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.header)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return nil, 0, from, errno
	}
	return r.data[:n], receivedTTL(r.control[:r.header.Controllen]), r.from.Addr, nil
}

// receivedTTL finds the TTL among the control messages. Without one it is 0, which
// no session accepts.
func receivedTTL(control []byte) uint8 {
	for len(control) >= unix.CmsgLen(0) {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return 0
		}
		if header.Level == unix.SOL_IP && header.Type == unix.IP_TTL && len(data) >= 4 {
			return uint8(binary.NativeEndian.Uint32(data))
		}
		control = rest
	}
	return 0
}
