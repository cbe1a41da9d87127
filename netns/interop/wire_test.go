package interop_test

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/bfd"
	"baton/netns"
)

// wire watches one interface and records the BFD control packets of both directions with
// the kernel's timestamps.
type wire struct {
	mu     sync.Mutex
	seen   []seen
	since  time.Time         // of what is in seen
	echoes map[bool]echoSeen // the last echo packet of each side, true is ours
}

// seen is one control packet. After Parse its Auth aliases a buffer and is not kept.
type seen struct {
	at   time.Time
	ours bool
	bfd.Packet
}

// tap starts to watch before any packet is sent.
func tap(t *testing.T, host *netns.Host, link string) *wire {
	t.Helper()
	fd := -1
	err := host.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000})); err != nil {
		t.Fatal(err)
	}
	w, stop, ended := &wire{echoes: map[bool]echoSeen{}}, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		w.watch(fd, stop)
	}()
	t.Cleanup(func() { close(stop); <-ended; unix.Close(fd) })
	return w
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

func (w *wire) watch(fd int, stop chan struct{}) {
	frame, control := make([]byte, 2048), make([]byte, 128)
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, c, _, from, err := unix.Recvmsg(fd, frame, control, 0)
		link, ok := from.(*unix.SockaddrLinklayer)
		if err != nil || !ok {
			continue // nothing came for a while
		}
		w.note(frame[:n], stamp(control[:c]), link.Pkttype == unix.PACKET_OUTGOING)
	}
}

func (w *wire) note(packet []byte, at time.Time, ours bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e, ok := echoPacket(packet); ok {
		w.echoes[ours] = e
	}
	// Packets from before forget may still be read from the socket after it.
	if p, ok := controlPacket(packet); ok && !at.Before(w.since) {
		p.Auth = nil
		w.seen = append(w.seen, seen{at: at, ours: ours, Packet: p})
	}
}

func stamp(control []byte) time.Time {
	messages, _ := unix.ParseSocketControlMessage(control)
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Time{}
}

// controlPacket finds the BFD control packet in an IP packet.
func controlPacket(b []byte) (bfd.Packet, bool) {
	if len(b) < 48 {
		return bfd.Packet{}, false
	}
	at, protocol := 40, b[6]
	if b[0]>>4 == 4 {
		at, protocol = int(b[0]&15)*4, b[9]
	}
	if protocol != unix.IPPROTO_UDP || len(b) < at+8 {
		return bfd.Packet{}, false
	}
	if port := binary.BigEndian.Uint16(b[at+2:]); port != bfd.ControlPort && port != bfd.MultihopPort {
		return bfd.Packet{}, false
	}
	p, err := bfd.Parse(b[at+8:])
	return p, err == nil
}

// count returns how many packets of one side meet a condition.
func (w *wire) count(ours bool, holds func(bfd.Packet) bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, s := range w.seen {
		if s.ours == ours && holds(s.Packet) {
			n++
		}
	}
	return n
}

// silence returns how long after our last packet the peer first sent state Down with
// diagnostic 1, 0 if it has not.
func (w *wire) silence() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var last time.Time
	for _, s := range w.seen {
		switch {
		case s.ours:
			last = s.at
		case s.State == bfd.Down && s.Diag == bfd.DiagDetectionTimeExpired && !last.IsZero():
			return s.at.Sub(last)
		}
	}
	return 0
}

// forget drops the recorded packets.
func (w *wire) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.since = nil, time.Now()
}
