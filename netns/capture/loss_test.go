package capture

import (
	"errors"
	"net"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"baton/impl/trace"
	"baton/netns/internal/testlab"
)

// missed returns the losses that an edge's capture reports.
func missed(e *edge) []trace.Missed {
	var told []trace.Missed
	c := &Capture{edges: []*edge{e}, cfg: Config{Record: func(ev trace.Event) { told = append(told, *ev.Missed) }}}
	c.recordLoss()
	return told
}

// A stalled reader loses the frames for which the ring has no room: each frame is either
// read or reported as missing.
func TestFramesThatTheRingHadNoRoomForAreTold(t *testing.T) {
	if why := testlab.SkipReason(); why != "" {
		t.Skip(why)
	}
	gomega.RegisterTestingT(t)
	host := testlab.NewHost("client1", func(args ...any) { t.Cleanup(args[0].(func())) })
	lo := host.Interface("lo").Attrs().Index
	const sent = 50_000
	e := &edge{Edge: Edge{Name: "clients"}, closes: closes{}, ports: map[int]int{}}
	if err := host.Do(func() error {
		filter, err := socketFilter([]int{lo}, true, DefaultSnap)
		if err != nil {
			return err
		}
		if e.ring, err = openRing(filter); err != nil {
			return err
		}
		conn, err := net.Dial("udp4", "127.0.0.1:9")
		if err != nil {
			return err
		}
		defer conn.Close()
		payload := make([]byte, 300)
		for range sent {
			_, _ = conn.Write(payload) // nobody listens: the next write may say so
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	defer e.ring.close()
	c := &Capture{edges: []*edge{e}}
	awaitBlocks()
	c.readEdge(e)
	told := missed(e)
	if len(told) != 1 || told[0].What != "frames of the clients edge" || told[0].Count == 0 || told[0].Count+c.frames.Load() < sent {
		t.Errorf("%d frames sent, %d read, told %+v", sent, c.frames.Load(), told)
	}
}

func TestACaptureThatCannotSayWhatItLostTellsThat(t *testing.T) {
	e := &edge{Edge: Edge{Name: "clients"}, ring: &ring{fd: -1, memory: make([]byte, blockSize*blockCount)}}
	(&Capture{edges: []*edge{e}}).readEdge(e)
	if told := missed(e); len(told) != 1 || !errors.Is(e.lossUnknown, unix.EBADF) {
		t.Errorf("told %+v, %v", told, e.lossUnknown)
	}
	if told := missed(&edge{}); len(told) > 0 {
		t.Errorf("of a capture that saw everything: %+v", told)
	}
}
