package bfdio

import (
	"encoding/binary"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
)

// Packet is what came in one datagram.
type Packet struct {
	Data []byte // valid until the next Receive
	TTL  uint8
	// At is when the kernel took it from the link, on CLOCK_MONOTONIC: however late
	// its owner reads it, a packet that came in time came in time.
	At clock.Instant
}

// maxPacket holds any BFD control packet: its Length field is one byte. What is
// longer is cut, and the core drops it by its length.
const maxPacket = 256

// receiver is the memory of recvmsg, kept so that a packet costs no allocation.
type receiver struct {
	header  unix.Msghdr
	vector  unix.Iovec
	from    unix.RawSockaddrInet4
	data    [maxPacket]byte
	control [128]byte
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
func (r *receiver) receive(fd int) (p Packet, from [4]byte, err error) {
	r.header.Namelen = unix.SizeofSockaddrInet4
	r.header.SetControllen(len(r.control))
	n, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.header)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return Packet{}, from, errno
	}
	p = Packet{Data: r.data[:n]}
	stamp := readControl(r.control[:r.header.Controllen], &p.TTL)
	p.At = arrival(stamp, read(unix.CLOCK_REALTIME), clock.Instant(read(unix.CLOCK_MONOTONIC)))
	return p, r.from.Addr, nil
}

// readControl finds TTL and time stamp among the control messages. Without a TTL it
// is 0, which no session accepts; without a stamp that is 0.
func readControl(control []byte, ttl *uint8) (stamp int64) {
	for len(control) >= unix.CmsgLen(0) {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		switch {
		case header.Level == unix.SOL_IP && header.Type == unix.IP_TTL && len(data) >= 4:
			*ttl = uint8(binary.NativeEndian.Uint32(data))
		case header.Level == unix.SOL_SOCKET && header.Type == unix.SCM_TIMESTAMPNS && len(data) >= 16:
			stamp = int64(binary.NativeEndian.Uint64(data))*int64(time.Second) + int64(binary.NativeEndian.Uint64(data[8:]))
		}
		control = rest
	}
	return stamp
}

// oldest is how long a packet may have waited. A socket buffer holds a few hundred
// packets, and what seems older has been stamped before somebody set the clock.
const oldest = 10 * time.Second

// arrival converts a stamp of CLOCK_REALTIME to CLOCK_MONOTONIC, given what both read
// now. A packet cannot have come later than now, or long before: then the clock was
// set meanwhile, and now is what is left to say.
func arrival(stamp, realtime int64, now clock.Instant) clock.Instant {
	if age := time.Duration(realtime - stamp); age > 0 && age <= oldest {
		return now.Add(-age)
	}
	return now
}

// read reads a clock, in nanoseconds.
func read(id int32) int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		panic("bfdio: read clock: " + err.Error()) // the kernel has both
	}
	return t.Nano()
}
