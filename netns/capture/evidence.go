package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"baton/impl/clock"
	"baton/netns/internal/hostclock"
)

// evidence keeps the latest frames of all edges in bounded memory.
type evidence struct {
	mu     sync.Mutex
	budget int // bytes
	chunks [][]byte
	ports  []string // names of the ports that frames were captured at
}

// port adds a port and returns its number.
func (v *evidence) port(name string) int {
	v.ports = append(v.ports, name)
	return len(v.ports) - 1
}

// A chunk holds records back to back: instant (8), port (2), length on the wire
// (4), length kept (2), bytes.
const (
	chunkSize    = 1 << 20
	recordHeader = 16
)

// keep stores a frame, forgetting the oldest chunk when the budget is used up.
func (v *evidence) keep(at clock.Instant, port int, length int, data []byte) {
	if v.budget == 0 {
		return
	}
	n := len(v.chunks)
	if n == 0 || len(v.chunks[n-1])+recordHeader+len(data) > chunkSize {
		v.grow()
		n = len(v.chunks)
	}
	c := v.chunks[n-1]
	c = binary.NativeEndian.AppendUint64(c, uint64(at))
	c = binary.NativeEndian.AppendUint16(c, uint16(port))
	c = binary.NativeEndian.AppendUint32(c, uint32(length))
	c = binary.NativeEndian.AppendUint16(c, uint16(len(data)))
	v.chunks[n-1] = append(c, data...)
}

func (v *evidence) grow() {
	if len(v.chunks) < max(1, v.budget/chunkSize) {
		v.chunks = append(v.chunks, make([]byte, 0, chunkSize))
		return
	}
	oldest := v.chunks[0]
	copy(v.chunks, v.chunks[1:])
	v.chunks[len(v.chunks)-1] = oldest[:0]
}

// each calls f with the frames in the order in which they were kept. The caller
// holds the lock.
func (v *evidence) each(f func(at clock.Instant, port, length int, data []byte) error) error {
	for _, c := range v.chunks {
		for len(c) > 0 {
			kept := int(binary.NativeEndian.Uint16(c[14:]))
			err := f(clock.Instant(binary.NativeEndian.Uint64(c)), int(binary.NativeEndian.Uint16(c[8:])),
				int(binary.NativeEndian.Uint32(c[10:])), c[recordHeader:recordHeader+kept])
			if err != nil {
				return err
			}
			c = c[recordHeader+kept:]
		}
	}
	return nil
}

// writePCAPNG writes the frames from one instant to another. Each port of each
// edge is an interface of the file, named "clients/lb1". Frames of different
// edges are in the order in which they were read, not strictly of their stamps.
func (v *evidence) writePCAPNG(w io.Writer, snap int, from, to clock.Instant) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.ports) == 0 {
		return nil
	}
	port := func(name string) pcapgo.NgInterface {
		return pcapgo.NgInterface{Name: name, LinkType: layers.LinkTypeEthernet, SnapLength: uint32(snap),
			TimestampResolution: 9, OS: "linux"}
	}
	ng, err := pcapgo.NewNgWriterInterface(w, port(v.ports[0]), pcapgo.DefaultNgWriterOptions)
	if err != nil {
		return fmt.Errorf("capture: begin pcapng: %w", err)
	}
	for _, name := range v.ports[1:] {
		if _, err := ng.AddInterface(port(name)); err != nil {
			return fmt.Errorf("capture: add interface %s to pcapng: %w", name, err)
		}
	}
	var stamps hostclock.Translator
	err = v.each(func(at clock.Instant, port, length int, data []byte) error {
		if at < from || at > to {
			return nil
		}
		return ng.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(0, stamps.Realtime(at)),
			CaptureLength: len(data), Length: length, InterfaceIndex: port}, data)
	})
	if err == nil {
		err = ng.Flush()
	}
	if err != nil {
		return fmt.Errorf("capture: write pcapng: %w", err)
	}
	return nil
}
