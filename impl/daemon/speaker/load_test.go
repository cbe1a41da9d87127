package speaker

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
)

// speakerEnv makes this test binary a speaker, with the configuration that it names.
const speakerEnv = "BATON_TEST_SPEAKER"

func TestMain(m *testing.M) {
	if file := os.Getenv(speakerEnv); file != "" {
		if err := Serve(context.Background(), Options{ConfigFile: file, LogTo: os.Stderr}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// What a thousand sessions at 100 ms × 3 may cost one process.
const (
	manySessions = 1000
	manyInterval = 100 * time.Millisecond
	manyLimit    = 25.0 // % of a core
	manyBeats    = 100  // packets of each session that are measured
)

// BenchmarkThousandSessions runs two speakers, each a process in its own namespace, with a
// thousand sessions between them, and measures the CPU time of one of them; only the other
// is asked for its status. It fails if a session goes down or the limit is exceeded. One
// iteration is a hundred packets of each session, some nine seconds.
func BenchmarkThousandSessions(b *testing.B) {
	left, right := cable(b)
	measured, asked := left.process(b, 0), right.process(b, 1)
	for _, p := range []*process{measured, asked} {
		p.await(b, "is Up at its pace", func(x control.BFDSession) bool {
			return isUp(x) && !x.Polling && x.Transmit == manyInterval
		})
	}
	for b.Loop() {
		begin, used := asked.status(b), measured.cpuTime(b)
		want := map[string]uint64{}
		for _, x := range begin.Sessions {
			want[x.Name] = x.Counters.Received + manyBeats
		}
		end := asked.await(b, "has received its packets", func(x control.BFDSession) bool { return x.Counters.Received >= want[x.Name] })
		share := 100 * float64(measured.cpuTime(b)-used) / float64(end.Now.Sub(begin.Now))
		b.ReportMetric(share, "%core")
		b.ReportMetric(manyLimit, "%core-limit")
		if share > manyLimit {
			b.Errorf("%.1f %% of a core, want %.0f %% at most", share, manyLimit)
		}
	}
	var downs uint64
	var gap time.Duration
	for _, p := range []*process{measured, asked} {
		for _, x := range p.status(b).Sessions {
			downs, gap = downs+x.Counters.Downs, max(gap, x.Counters.ReceiveGapMax)
		}
	}
	b.ReportMetric(float64(gap.Microseconds())/1000, "gap-max-ms")
	b.ReportMetric(float64(downs), "downs")
	if downs != 0 {
		b.Errorf("sessions went down %d times", downs)
	}
}

// process is a speaker in a process of its own.
type process struct {
	cmd     *exec.Cmd
	control string
}

// manyHosts is how many addresses each side has: a multihop session is a pair of them.
const manyHosts = 32

// process starts a speaker with sessions between the addresses of its side, 0 or 1,
// and those of the other.
func (e *end) process(b *testing.B, side int) *process {
	b.Helper()
	host := func(side, n int) config.Address {
		return config.Address{Addr: netip.AddrFrom4([4]byte{198, 18, byte(10 + side), byte(1 + n)})}
	}
	var prefixes []string
	for n := range manyHosts {
		prefixes = append(prefixes, netip.PrefixFrom(host(side, n).Addr, 23).String())
	}
	e.up(prefixes...)
	cfg := config.Speaker{Control: filepath.Join(b.TempDir(), "bfd.sock")}
	for n := range manySessions {
		local, peer := n/manyHosts, n%manyHosts
		if side == 1 {
			local, peer = peer, local
		}
		cfg.Sessions = append(cfg.Sessions, config.BFDSession{
			Name: fmt.Sprintf("s%d", n), Mode: config.MultiHop, MinTTL: 255, Local: host(side, local), Peer: host(1-side, peer),
			TX: config.Duration(manyInterval), RX: config.Duration(manyInterval), Mult: 3,
		})
	}
	text, err := cfg.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(cfg.Control), "bfd.yaml")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		b.Fatal(err)
	}
	p := &process{cmd: exec.Command("/proc/self/exe"), control: cfg.Control}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), speakerEnv+"="+file), nil
	e.do(p.cmd.Start)
	b.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

// status asks the speaker, which may still be starting.
func (p *process) status(b *testing.B) control.BFDStatus {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		client, err := control.Dial(ctx, p.control)
		if err == nil {
			defer client.Close()
			s, err := client.BFDStatus(ctx)
			if err != nil {
				b.Fatal(err)
			}
			return s
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.Fatalf("the speaker does not answer within %v: %v", patience, err)
		}
	}
}

// await waits until every session meets a condition. It polls rarely: the answer for a
// thousand sessions costs more than their packets.
func (p *process) await(b *testing.B, what string, holds func(control.BFDSession) bool) control.BFDStatus {
	b.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * patience); ; <-tick.C {
		s, missing := p.status(b), 0
		for _, x := range s.Sessions {
			if !holds(x) {
				missing++
			}
		}
		if missing == 0 {
			return s
		}
		if time.Now().After(deadline) {
			b.Fatalf("of %d sessions there are %d of which none %s within %v", len(s.Sessions), missing, what, 2*patience)
		}
	}
}

// cpuTime returns the process's CPU time so far, user and kernel.
func (p *process) cpuTime(b *testing.B) time.Duration {
	b.Helper()
	proc, err := procfs.NewProc(p.cmd.Process.Pid)
	if err != nil {
		b.Fatal(err)
	}
	stat, err := proc.Stat()
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(stat.CPUTime() * float64(time.Second))
}
