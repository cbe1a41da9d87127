package bfdbench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"baton/impl/trace"
	"baton/netns"
	"baton/scenarios"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// The balanced service; its port is that of the reflecting program on the backend.
const (
	vip         = "198.18.0.100"
	servicePort = 7000
)

const nodesPlan = `
scenario bfd-timing
topo     pair clients=1 backends=1
config   bfd.tx=%[1]v bfd.rx=%[1]v bfd.mult=%[2]d max_flows=1000
service  load udp %[3]s:%[4]d mode=fullnat
@0s      wait lb1 is Master and lb2 insync within 30s
@1s      end
`

// nodes are the measured pair.
type nodes struct {
	world     *netns.World
	recording *scenarios.Recording

	mu    sync.Mutex
	downs int // how often a session left Up
}

// Record implements scenarios.Recorder.
func (n *nodes) Record(e trace.Event) {
	if e.BFD != nil && e.BFD.From == "Up" {
		n.mu.Lock()
		n.downs++
		n.mu.Unlock()
	}
	n.recording.Record(e)
}

// startNodes starts a pair of nodes and waits until one is MASTER and the other in sync.
func startNodes(ctx context.Context, o Options, dir string) (*nodes, error) {
	text := fmt.Sprintf(nodesPlan, o.Interval, o.DetectMult, vip, servicePort)
	p, err := plan.Parse("bfd-timing.scn", []byte(text))
	if err != nil {
		return nil, err
	}
	n := &nodes{recording: scenarios.NewRecording(p, plan.Netns)}
	n.world = netns.NewWorld(p, netns.WorldConfig{Dir: dir, Baton: o.Baton, Recorder: n})
	if err := n.world.Up(ctx); err != nil {
		return n, err
	}
	ready, state := false, ""
	err = n.world.Until(ctx, n.world.Now().Add(30*time.Second), func() bool {
		ready, state = n.recording.Holds(p.Steps[0].Wait.Conds)
		return ready
	})
	if err == nil && !ready {
		err = fmt.Errorf("bfdbench: the nodes do not come up: %s", state)
	}
	return n, err
}

// flaps returns how often a session has left Up, summed over both ends.
func (n *nodes) flaps(context.Context) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.downs, nil
}

func (n *nodes) close(ctx context.Context) error { return n.world.Down(ctx) }

// forwarded returns how many packets the load balancers have received on the client and
// backend sides.
func (n *nodes) forwarded() (packets uint64, err error) {
	for _, lb := range lab.Nodes() {
		for _, name := range []string{netns.ClientSide, netns.BackendSide} {
			link, err := n.world.Host(lb).Netlink().LinkByName(name)
			if err != nil {
				return 0, fmt.Errorf("bfdbench: count what passes %s/%s: %w", lb, name, err)
			}
			packets += link.Attrs().Statistics.RxPackets
		}
	}
	return packets, nil
}
