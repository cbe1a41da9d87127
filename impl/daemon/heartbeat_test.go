package daemon_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"baton/impl/daemon/control"
)

// hogEnv makes this test binary a process that does nothing but keep a core busy.
const hogEnv = "BATON_TEST_HOG"

func hog() {
	for {
	}
}

// BenchmarkHeartbeat measures how punctual a pair of nodes is: how late the loop
// came to the core's deadlines (BFD transmissions among them) at worst, and the
// longest time between two packets as the peer received them, of which jitter and
// interval explain at most 50 ms. It compares an idle machine with one on which
// ordinary processes keep every core busy, and both with what scheduling,
// memory and collector settings are for. One iteration is five seconds of a pair.
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
		n.ordinary = ordinary
		n.start(b)
	}
	p.nodes[0].waitStatus(b, "MASTER", is("Master"))
	p.nodes[1].waitStatus(b, "BACKUP and in sync", syncedBackup)
	var before [2]control.Status
	for i, n := range p.nodes {
		before[i] = n.waitStatus(b, "answering", func(control.Status) bool { return true })
	}
	for range hogs {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), hogEnv+"=1", "GOMAXPROCS=1")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	}
	time.Sleep(5 * time.Second)
	var lateMax, gapMax time.Duration
	var sent, downs uint64
	late := make([]uint64, len(before[0].Loop.Late))
	for i, n := range p.nodes {
		s := n.waitStatus(b, "answering", func(control.Status) bool { return true })
		for j := range late {
			late[j] += s.Loop.Late[j] - before[i].Loop.Late[j]
		}
		for j, path := range s.Paths {
			lateMax = max(lateMax, path.Stats.AdvanceLateMax)
			gapMax = max(gapMax, path.Stats.ReceiveGapMax)
			sent += path.Stats.Sent - before[i].Paths[j].Stats.Sent
			downs += path.Stats.Downs
		}
	}
	b.ReportMetric(float64(lateMax.Microseconds()), "late-max-µs")
	b.ReportMetric(float64(gapMax.Microseconds())/1000, "gap-max-ms")
	b.ReportMetric(float64(sent), "packets")
	b.ReportMetric(float64(downs), "downs")
	fmt.Printf("late %v\n", late)
	for _, n := range p.nodes {
		_ = n.cmd.Process.Kill()
		n.wait(b)
	}
}
