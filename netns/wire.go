package netns

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/netns/internal/hostclock"
	"baton/netns/internal/ip"
	"baton/scenarios/lab"
	"baton/scenarios/link"
)

// wireMark marks frames that have crossed a wire, so that the filter lets them pass.
const wireMark = 0xba70

// testMark marks the test frames of cuts, so that a filter does not divert them: a wire could delay
// or lose them. The kernel clears marks on the way to another namespace.
const testMark = 0xba71

// vnetHeader is the length of struct virtio_net_hdr, which carries a frame's checksum and
// segmentation offload state through a packet socket.
const vnetHeader = 10

// maxFrame is the longest frame of a veth, segmentation included.
const maxFrame = 1 << 17

// wire passes frames through this process: a filter diverts them into one end of a veth,
// package scenarios/link decides the fate of each frame read from the other end, and the
// wire sends it on by its original device. It has its own thread.
type wire struct {
	in, out int // packet sockets
	wake    int // eventfd
	ifindex int // the end into which the filter diverts
	device  int // sends the frames on

	mu   sync.Mutex
	legs map[[6]byte][]leg // by sender's MAC address

	waiting pending
	serial  uint64
	overrun uint64
	ended   chan struct{}
}

// newWire makes the wire of a device in a host's namespace.
func newWire(h *Host, device int) (_ *wire, err error) {
	w := &wire{in: -1, out: -1, wake: -1, device: device, legs: map[[6]byte][]leg{}, ended: make(chan struct{})}
	wireIn, wireOut := fmt.Sprintf("wirein%d", device), fmt.Sprintf("wireout%d", device)
	defer func() {
		if err != nil {
			w.release()
		}
	}()
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: wireIn, Group: linkGroup, TxQLen: -1}, PeerName: wireOut}
	if err := h.links.LinkAdd(pair); err != nil {
		return nil, fmt.Errorf("add a wire to %s: %w", h.name, err)
	}
	for _, name := range []string{wireIn, wireOut} {
		if err := h.linkUp(name); err != nil {
			return nil, err
		}
	}
	near, err := h.links.LinkByName(wireIn)
	if err != nil {
		return nil, err
	}
	far, err := h.links.LinkByName(wireOut)
	if err != nil {
		return nil, err
	}
	w.ifindex = near.Attrs().Index
	if err := h.Do(func() error { return w.open(far.Attrs().Index) }); err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

func (w *wire) open(ifindex int) (err error) {
	if w.in, err = packetSocket(unix.ETH_P_ALL); err != nil {
		return err
	}
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	if err := unix.Bind(w.in, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifindex}); err != nil {
		return fmt.Errorf("bind a wire: %w", err)
	}
	if err := unix.SetsockoptInt(w.in, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20); err != nil {
		return fmt.Errorf("enlarge a wire's buffer: %w", err)
	}
	if w.out, err = packetSocket(0); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(w.out, unix.SOL_SOCKET, unix.SO_MARK, wireMark); err != nil {
		return fmt.Errorf("mark a wire's frames: %w", err)
	}
	w.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	return err
}

func packetSocket(protocol int) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, fmt.Errorf("open a packet socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("ask for checksums in a packet socket: %w", err)
	}
	return fd, nil
}

// leg is one rule's impairment of a sender's frames.
type leg struct {
	key   filterKey // of the rule
	match lab.Match // selects the frames
	model *link.Model
	icmp  *icmpSender // answers frames that are too long; nil drops them silently
}

// addLeg adds a leg to the wire or replaces the rule's previous one.
func (w *wire) addLeg(l leg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	legs := w.legs[l.key.MAC]
	if i := slices.IndexFunc(legs, func(o leg) bool { return o.key == l.key }); i >= 0 {
		legs[i].icmp.close()
		legs[i] = l
		return
	}
	w.legs[l.key.MAC] = append(legs, l)
}

// lost returns how many frames a leg's link model has dropped.
func (w *wire) lost(key filterKey) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.legs[key.MAC] {
		if l.key == key {
			return l.model.Stats().Dropped()
		}
	}
	return 0
}

// removeLeg removes the leg of a rule.
func (w *wire) removeLeg(key filterKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.legs[key.MAC] = slices.DeleteFunc(w.legs[key.MAC], func(l leg) bool {
		if l.key == key {
			l.icmp.close()
		}
		return l.key == key
	})
}

// delayed is a frame that waits for its time to leave.
type delayed struct {
	at     clock.Instant
	serial uint64 // keeps the order of frames with the same instant
	frame  []byte
}

// pending is a min-heap of frames by instant.
type pending []delayed

func (p pending) Len() int { return len(p) }
func (p pending) Less(i, j int) bool {
	return p[i].at < p[j].at || p[i].at == p[j].at && p[i].serial < p[j].serial
}
func (p pending) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *pending) Push(x any)   { *p = append(*p, x.(delayed)) }
func (p *pending) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}

func (w *wire) run() {
	runtime.LockOSThread()
	defer close(w.ended)
	buf := make([]byte, maxFrame)
	polled := []unix.PollFd{{Fd: int32(w.in), Events: unix.POLLIN}, {Fd: int32(w.wake), Events: unix.POLLIN}}
	for {
		var timeout *unix.Timespec
		if w.waiting.Len() > 0 {
			left := max(w.waiting[0].at.Sub(hostclock.Now()), 0)
			t := unix.NsecToTimespec(int64(left))
			timeout = &t
		}
		if _, err := unix.Ppoll(polled, timeout, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if polled[1].Revents != 0 {
			return
		}
		w.send(hostclock.Now())
		w.read(buf)
	}
}

// read reads the frames that have arrived.
func (w *wire) read(buf []byte) {
	for range 64 { // bounded, so that due frames leave in time
		n, _, err := unix.Recvfrom(w.in, buf, 0)
		if err != nil {
			return
		}
		if n >= vnetHeader+ethLen {
			w.take(buf[:n])
		}
	}
}

// take decides the fate of a frame. A frame without a leg was diverted before the heal and
// is sent on at once.
func (w *wire) take(frame []byte) {
	now := hostclock.Now()
	packet := frame[vnetHeader:]
	w.mu.Lock()
	defer w.mu.Unlock()
	var chain link.Chain
	for _, l := range w.legs[[6]byte(packet[ethSource:])] {
		if !l.match.Has(packetOf(packet)) {
			continue
		}
		if l.model.TooLong(longest(frame)) {
			l.icmp.tooLong(packet, l.model.Params().MTU)
			return
		}
		chain = append(chain, l.model)
	}
	for _, d := range chain.Fate(now, len(packet)) {
		if d.Corrupt && !finishChecksum(frame) {
			continue
		}
		copied := w.put(d.At, frame)
		if d.Corrupt {
			copied[vnetHeader+d.Bit/8] ^= 1 << (d.Bit % 8)
		}
	}
}

// longest returns the length of the longest IP packet after segmentation.
func longest(frame []byte) int {
	packet := frame[vnetHeader:]
	if frame[vnetSegmentation] == 0 || len(packet) < tcpEnd {
		return len(packet) - ethLen
	}
	payload := int(binary.NativeEndian.Uint16(frame[vnetSegment:]))
	return ipEnd - ethLen + int(packet[tcpOffset]>>4)*4 + payload
}

// Fields of struct virtio_net_hdr (linux/virtio_net.h), in host byte order.
const (
	vnetFlags          = 0
	vnetSegmentation   = 1
	vnetSegment        = 4 // payload of a segment
	vnetChecksumStart  = 6
	vnetChecksumOffset = 8

	needsChecksum = 1
)

// finishChecksum writes the checksum that the sender has left to its device. Hosts of one
// kernel do not verify it otherwise and would accept a corrupted frame. It returns false
// for a frame to be segmented, which has no single checksum: a real link would lose its
// corrupted segment.
func finishChecksum(frame []byte) bool {
	packet := frame[vnetHeader:]
	if frame[vnetSegmentation] != 0 {
		return false
	}
	if frame[vnetFlags]&needsChecksum != 0 {
		start := int(binary.NativeEndian.Uint16(frame[vnetChecksumStart:]))
		field := start + int(binary.NativeEndian.Uint16(frame[vnetChecksumOffset:]))
		if field+2 > len(packet) {
			return false
		}
		// The field holds the checksum of the pseudo header.
		sum := ip.Checksum(packet[start:])
		binary.BigEndian.PutUint16(packet[field:], sum)
	}
	clear(frame[:vnetHeader])
	return true
}

// put queues a copy of a frame until an instant.
func (w *wire) put(at clock.Instant, frame []byte) []byte {
	w.serial++
	copied := slices.Clone(frame)
	heap.Push(&w.waiting, delayed{at: at, serial: w.serial, frame: copied})
	return copied
}

// send sends the frames that are due. A frame that the device refuses is lost.
func (w *wire) send(now clock.Instant) {
	to := &unix.SockaddrLinklayer{Ifindex: w.device}
	for w.waiting.Len() > 0 && w.waiting[0].at <= now {
		_ = unix.Sendto(w.out, heap.Pop(&w.waiting).(delayed).frame, 0, to)
	}
}

// dropped returns how many frames arrived faster than the wire could read them.
func (w *wire) dropped() (uint64, error) {
	stats, err := unix.GetsockoptTpacketStats(w.in, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, fmt.Errorf("read the statistics of a wire: %w", err)
	}
	w.overrun += uint64(stats.Drops) // reading resets the counter
	return w.overrun, nil
}

// close ends the wire and drops the queued frames.
func (w *wire) close() error {
	if _, err := unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return fmt.Errorf("end a wire: %w", err)
	}
	<-w.ended
	for _, legs := range w.legs {
		for _, l := range legs {
			l.icmp.close()
		}
	}
	w.release()
	return nil
}

func (w *wire) release() {
	for _, fd := range []int{w.in, w.out, w.wake} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}
