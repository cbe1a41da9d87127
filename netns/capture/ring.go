package capture

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Geometry of a capture socket's ring. It holds more than a second of 20,000 frames per
// second of 250 bytes, so this process may stall for that long without losing a frame.
const (
	blockSize   = 128 << 10
	blockCount  = 64
	blockRetire = 10 * time.Millisecond // maximum age of a block before it is handed over
)

// ring is an AF_PACKET socket with a TPACKET_V3 receive ring: the kernel writes frames into
// shared blocks and wakes the reader once per block, not once per frame.
type ring struct {
	fd     int
	memory []byte
	next   int // block that the kernel hands over next
}

// packet is one frame in a ring, valid until the callback returns.
type packet struct {
	realtime int64 // kernel timestamp, nanoseconds of CLOCK_REALTIME
	ifindex  int
	length   int // on the wire
	data     []byte
}

// openRing opens the socket in the thread's network namespace.
func openRing(filter []unix.SockFilter) (r *ring, err error) {
	r = &ring{}
	if r.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return nil, fmt.Errorf("capture: open packet socket: %w", err)
	}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return nil, fmt.Errorf("capture: attach socket filter: %w", err)
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return nil, fmt.Errorf("capture: ask for TPACKET_V3: %w", err)
	}
	shape := unix.TpacketReq3{Block_size: blockSize, Block_nr: blockCount, Frame_size: 2048,
		Frame_nr: blockSize / 2048 * blockCount, Retire_blk_tov: uint32(blockRetire / time.Millisecond)}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &shape); err != nil {
		return nil, fmt.Errorf("capture: make a ring of %d bytes: %w", blockSize*blockCount, err)
	}
	r.memory, err = unix.Mmap(r.fd, 0, blockSize*blockCount, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("capture: map the ring: %w", err)
	}
	// Bind last, so that no frame arrives before the filter is attached.
	if err := unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL)}); err != nil {
		return nil, fmt.Errorf("capture: bind packet socket: %w", err)
	}
	return r, nil
}

func networkOrder(v uint16) uint16 { return v<<8 | v>>8 }

// read passes on the frames of all completed blocks, in order.
func (r *ring) read(f func(packet)) {
	for {
		block := r.memory[r.next*blockSize : (r.next+1)*blockSize]
		head := (*unix.TpacketHdrV1)(unsafe.Pointer(&(*unix.TpacketBlockDesc)(unsafe.Pointer(&block[0])).Hdr))
		if atomic.LoadUint32(&head.Block_status)&unix.TP_STATUS_USER == 0 {
			return
		}
		offset := head.Offset_to_first_pkt
		for range head.Num_pkts {
			h := (*unix.Tpacket3Hdr)(unsafe.Pointer(&block[offset]))
			from := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&block[offset+sockaddrOffset]))
			start := offset + uint32(h.Mac)
			f(packet{
				realtime: int64(h.Sec)*int64(time.Second) + int64(h.Nsec),
				ifindex:  int(from.Ifindex),
				length:   int(h.Len),
				data:     block[start : start+h.Snaplen],
			})
			offset += h.Next_offset
		}
		atomic.StoreUint32(&head.Block_status, unix.TP_STATUS_KERNEL)
		r.next = (r.next + 1) % blockCount
	}
}

// sockaddrOffset is the offset of the sockaddr_ll after a packet's header:
// TPACKET_ALIGN(sizeof(struct tpacket3_hdr)).
const sockaddrOffset = uint32((unsafe.Sizeof(unix.Tpacket3Hdr{}) + 15) &^ 15)

// dropped returns the number of frames lost to a full ring since the last call.
func (r *ring) dropped() (int, error) {
	stats, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, fmt.Errorf("capture: read statistics of the ring: %w", err)
	}
	return int(stats.Drops), nil
}

func (r *ring) close() {
	if r.memory != nil {
		_ = unix.Munmap(r.memory)
	}
	_ = unix.Close(r.fd)
}
