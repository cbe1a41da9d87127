package bfdio

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
)

// Datagram is one packet that a Listener received.
type Datagram struct {
	Data     []byte // valid until the next Receive
	From, To netip.Addr
	Link     int   // index of the receiving interface
	TTL      uint8 // or hop limit; 0, which no session accepts, if unknown
	// At is when the kernel received it, on CLOCK_BOOTTIME, so a packet that is read late
	// still counts as on time.
	At clock.Instant
}

// batchLen is the maximum number of packets per system call.
const batchLen = 64

// maxPacket is at least the length of any BFD control packet, whose Length field is one
// byte. Longer packets are truncated, and their session drops them by length.
const maxPacket = 256

// batch is the reused memory of recvmmsg.
type batch struct {
	headers   [batchLen]mmsghdr
	vectors   [batchLen]unix.Iovec
	from      [batchLen]unix.RawSockaddrAny
	data      [batchLen][maxPacket]byte
	control   [batchLen][128]byte
	datagrams [batchLen]Datagram
	used      int // headers that the last call has written to
}

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	header unix.Msghdr
	len    uint32
	_      [4]byte
}

func (b *batch) init() {
	for i := range batchLen {
		b.vectors[i].Base = &b.data[i][0]
		b.vectors[i].SetLen(maxPacket)
		h := &b.headers[i].header
		h.Name = (*byte)(unsafe.Pointer(&b.from[i]))
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Control = &b.control[i][0]
	}
	b.used = batchLen
}

// receive reads the waiting packets of a descriptor, at most a batch.
func (b *batch) receive(fd int) (int, error) {
	for i := range b.used {
		b.headers[i].header.Namelen = unix.SizeofSockaddrAny
		b.headers[i].header.SetControllen(len(b.control[i]))
	}
	b.used = 0
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.headers)), batchLen, unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
		b.used = int(n)
		return b.used, nil
	case unix.EAGAIN, unix.EINTR:
		return 0, nil
	}
	return 0, errno
}

// parse fills in the datagrams of a batch of n.
func (b *batch) parse(n int) []Datagram {
	realtime, now := realtimeNow(), boottime.Now()
	for i := range n {
		d := &b.datagrams[i]
		*d = Datagram{Data: b.data[i][:b.headers[i].len], From: address(&b.from[i])}
		stamp := d.control(b.control[i][:b.headers[i].header.Controllen])
		d.At = arrival(stamp, realtime, now)
	}
	return b.datagrams[:n]
}

// address returns the address of a sender.
func address(from *unix.RawSockaddrAny) netip.Addr {
	switch from.Addr.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(from)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(from)).Addr)
	}
	return netip.Addr{}
}

// control parses a packet's control messages and returns its timestamp, 0 for none.
func (d *Datagram) control(messages []byte) (stamp int64) {
	for len(messages) >= unix.CmsgLen(0) {
		header, data, rest, err := unix.ParseOneSocketControlMessage(messages)
		if err != nil {
			break
		}
		switch [2]int32{header.Level, header.Type} {
		case [2]int32{unix.SOL_IP, unix.IP_TTL}, [2]int32{unix.SOL_IPV6, unix.IPV6_HOPLIMIT}:
			if len(data) >= 4 {
				d.TTL = uint8(binary.NativeEndian.Uint32(data))
			}
		case [2]int32{unix.SOL_IP, unix.IP_PKTINFO}:
			if len(data) >= unix.SizeofInet4Pktinfo {
				info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0]))
				d.Link, d.To = int(info.Ifindex), netip.AddrFrom4(info.Addr)
			}
		case [2]int32{unix.SOL_IPV6, unix.IPV6_PKTINFO}:
			if len(data) >= unix.SizeofInet6Pktinfo {
				info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0]))
				d.Link, d.To = int(info.Ifindex), netip.AddrFrom16(info.Addr)
			}
		case [2]int32{unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS}:
			if len(data) >= 16 {
				stamp = int64(binary.NativeEndian.Uint64(data))*int64(time.Second) + int64(binary.NativeEndian.Uint64(data[8:]))
			}
		}
		messages = rest
	}
	return stamp
}
