package bfdbench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"baton/netns"
	"baton/netns/internal/tap"
)

// Offsets into an IPv4 frame, without options, with a BFD control packet.
const (
	offsetType  = 12
	offsetPort  = 14 + 20 + 2     // destination port
	offsetState = 14 + 20 + 8 + 1 // Sta, in the two highest bits
)

const (
	controlPort = 3784
	stateUp     = 3
	snapLen     = 128
)

// arrival is a BFD control packet as the kernel received it.
type arrival struct {
	at    time.Duration // CLOCK_REALTIME
	state uint8
	final bool // F is set: it answers a Poll
}

// listener collects the BFD control packets that an interface receives.
type listener struct {
	tap *tap.Tap

	mu       sync.Mutex
	arrivals []arrival
}

// controlPackets lets BFD control packets through.
var controlPackets = []bpf.Instruction{
	bpf.LoadAbsolute{Off: offsetType, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IP, SkipFalse: 3},
	bpf.LoadAbsolute{Off: offsetPort, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: controlPort, SkipFalse: 1},
	bpf.RetConstant{Val: snapLen},
	bpf.RetConstant{Val: 0},
}

// listen starts a listener in a host.
func listen(host *netns.Host, link string) (*listener, error) {
	l := &listener{}
	if err := host.Do(func() (err error) {
		l.tap, err = tap.Open(link, controlPackets, l.hear)
		return err
	}); err != nil {
		return nil, fmt.Errorf("bfdbench: listen on %s: %w", link, err)
	}
	return l, nil
}

func (l *listener) hear(heard tap.Frame) {
	if heard.Out || len(heard.Data) <= offsetState {
		return
	}
	flags := heard.Data[offsetState]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrivals = append(l.arrivals, arrival{at: heard.At, state: flags >> 6, final: flags&flagFinal != 0})
}

// take returns what arrived since the last take.
func (l *listener) take() []arrival {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.arrivals
	l.arrivals = nil
	return taken
}

func (l *listener) close() { l.tap.Close() }

// pass waits for a duration.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
