package daemon

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"baton/impl/daemon/control"
)

// hogEnv makes this test binary a process that keeps a core busy.
const hogEnv = "BATON_TEST_HOG"

func hog() {
	for n := 1; n != 0; n |= 1 {
	}
}

// BenchmarkHeartbeat measures the punctuality of a pair of nodes: the maximum lateness of
// the loop after the core's deadlines (BFD transmissions among them), and the longest time
// between two packets at the peer, of which jitter and interval explain at most 50 ms. It
// compares an idle machine with one whose cores are all busy with ordinary processes, and
// both with and without the settings of scheduling, memory and collector. One iteration is
// a hundred heartbeats of each node, some five seconds.
func BenchmarkHeartbeat(b *testing.B) {
	for _, load := range []struct {
		name string
		hogs int
	}{{"idle", 0}, {"busy", 2 * runtime.NumCPU()}} {
		for _, ordinary := range []bool{false, true} {
			name := load.name + "/realtime"
			if ordinary {
				name = load.name + "/ordinary"
			}
			b.Run(name, func(b *testing.B) {
				for range b.N {
					heartbeat(b, load.hogs, ordinary)
				}
			})
		}
	}
}

func heartbeat(b *testing.B, hogs int, ordinary bool) {
	p := newPair(b)
	for _, n := range p.nodes {
		if ordinary {
			n.env = []string{ordinaryEnv + "=1"}
		}
		n.start(b)
	}
	p.nodes[0].waitStatus(b, "MASTER", is("Master"))
	p.nodes[1].waitStatus(b, "BACKUP and in sync", syncedBackup)
	for range hogs {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), hogEnv+"=1", "GOMAXPROCS=1")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	}
	for _, n := range p.nodes {
		n.waitBeats(b, 100)
	}
	reportPunctuality(b, p.nodes[0], p.nodes[1])
	p.kill(b)
	var used time.Duration
	for _, n := range p.nodes {
		used += n.cmd.ProcessState.UserTime() + n.cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(float64(used.Milliseconds())/2, "cpu-ms-a-node")
}

// waitBeats waits until a node has sent so many more packets on each path. It polls rarely,
// because the measured loop answers.
func (n *testNode) waitBeats(b *testing.B, beats uint64) {
	b.Helper()
	var want []uint64
	for _, path := range n.waitStatus(b, "answering", func(control.Status) bool { return true }).Paths {
		want = append(want, path.Stats.Sent+beats)
	}
	for deadline := time.Now().Add(patience); ; pause(context.Background(), 100*time.Millisecond) {
		s := n.waitStatus(b, "answering", func(control.Status) bool { return true })
		missing := false
		for i, path := range s.Paths {
			missing = missing || path.Stats.Sent < want[i]
		}
		if !missing {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s has not sent %d packets on each path within %v", n.Node, beats, patience)
		}
	}
}

// reportPunctuality reports the maxima of the nodes since they came up.
func reportPunctuality(b *testing.B, nodes ...*testNode) {
	var lateMax, gapMax time.Duration
	var sent, downs uint64
	for _, n := range nodes {
		s := n.waitStatus(b, "answering", func(control.Status) bool { return true })
		for _, path := range s.Paths {
			lateMax = max(lateMax, path.Stats.AdvanceLateMax)
			gapMax = max(gapMax, path.Stats.ReceiveGapMax)
			sent += path.Stats.Sent
			downs += path.Stats.Downs
		}
		b.Logf("%s: late %v", n.Node, s.Loop.Late)
	}
	b.ReportMetric(float64(lateMax.Microseconds()), "late-max-µs")
	b.ReportMetric(float64(gapMax.Microseconds())/1000, "gap-max-ms")
	b.ReportMetric(float64(sent), "packets")
	b.ReportMetric(float64(downs), "downs")
}

// BenchmarkSync measures how long a restarted node takes, from the stream's establishment,
// to be in sync with a MASTER that has a table of the given size, and how that affects both
// heartbeats. The dataplane is in memory: the benchmark covers the daemon, the core and the
// stream.
func BenchmarkSync(b *testing.B) {
	for _, flows := range []int{10_000, 100_000, 500_000} {
		b.Run(fmt.Sprintf("%d", flows), func(b *testing.B) {
			for range b.N {
				synced(b, flows)
			}
		})
	}
}

func synced(b *testing.B, flows int) {
	p := newPair(b)
	master, backup := p.nodes[0], p.nodes[1]
	master.env = []string{fmt.Sprintf("%s=%d", flowsEnv, flows)}
	backup.env = []string{flowsEnv + "=0"}
	master.start(b)
	complete := func(s control.Status) bool { return s.Flows == flows }
	master.waitStatus(b, "MASTER with its flows", complete)
	backup.start(b)
	s := backup.waitStatus(b, "BACKUP and in sync", func(s control.Status) bool { return syncedBackup(s) && complete(s) })
	b.ReportMetric(float64(s.Sync.Took.Microseconds())/1000, "sync-ms")
	reportPunctuality(b, master, backup)
	p.kill(b)
}

func (p *pair) kill(b *testing.B) {
	for _, n := range p.nodes {
		_ = n.cmd.Process.Kill()
		n.wait(b)
	}
}
