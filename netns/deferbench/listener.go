package deferbench

import (
	"encoding/binary"
	"fmt"
	gosync "sync"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"baton/netns"
	"baton/netns/internal/tap"
	"baton/scenarios/lab"
)

// listener collects frames of one link.
type listener struct {
	link link
	tap  *tap.Tap

	mu     gosync.Mutex
	frames []frame
}

type listeners []*listener

// listenAll starts a listener on each link of a node.
func listenAll(host *netns.Host) (all listeners, err error) {
	for i, name := range [links]string{client: lab.Clients, backend: lab.Backends, sync: lab.Sync} {
		cable, _ := host.Interface(name)
		l := &listener{link: link(i)}
		if err := host.Do(func() (err error) {
			l.tap, err = tap.Open(cable.Name, l.filter(), l.hear)
			return err
		}); err != nil {
			return all, fmt.Errorf("deferbench: listen on %s: %w", cable.Name, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// take returns the frames since the last take.
func (all listeners) take() (frames []frame) {
	for _, l := range all {
		l.mu.Lock()
		frames = append(frames, l.frames...)
		l.frames = nil
		l.mu.Unlock()
	}
	return frames
}

func (all listeners) close() {
	for _, l := range all {
		l.tap.Close()
	}
}

// Offsets into an Ethernet frame with an IPv4 packet without options.
const (
	offsetLength   = 14 + 2
	offsetProtocol = 14 + 9
	offsetTCP      = 14 + 20
	offsetFlags    = offsetTCP + 13

	snapLen = 64
	flagSYN = 0x02
	flagACK = 0x10
)

// filter lets SYN and SYN-ACK through, on the sync link every segment.
func (l *listener) filter() []bpf.Instruction {
	flags := []bpf.Instruction{bpf.LoadConstant{Val: flagSYN}}
	if l.link != sync {
		flags = []bpf.Instruction{bpf.LoadAbsolute{Off: offsetFlags, Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: flagSYN}}
	}
	return append(append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetProtocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipFalse: uint8(len(flags)) + 2},
	}, flags...),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: flagSYN, SkipFalse: 1},
		bpf.RetConstant{Val: snapLen},
		bpf.RetConstant{Val: 0},
	)
}

// hear takes a frame that the filter let through.
func (l *listener) hear(heard tap.Frame) {
	b := heard.Data
	if len(b) < offsetFlags+1 || l.link == sync && !hasData(b) {
		return
	}
	f := frame{at: heard.At, link: l.link, out: heard.Out}
	if l.link != sync {
		f.syn = b[offsetFlags]&flagACK == 0
		f.seq, f.ack = binary.BigEndian.Uint32(b[offsetTCP+4:]), binary.BigEndian.Uint32(b[offsetTCP+8:])
	}
	l.mu.Lock()
	l.frames = append(l.frames, f)
	l.mu.Unlock()
}

// hasData reports whether a TCP segment has any.
func hasData(b []byte) bool {
	header := 20 + int(b[offsetTCP+12]>>4)*4
	return int(binary.BigEndian.Uint16(b[offsetLength:])) > header
}
