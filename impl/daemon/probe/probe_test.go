package probe

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/impl/daemon/internal/netlab"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

var (
	alive   = netip.MustParseAddr("198.18.1.11")
	nowhere = netip.MustParseAddr("198.18.9.9") // no route leads there
)

// reports are a prober's reports, by target.
type reports struct {
	mu   sync.Mutex
	last map[netip.Addr]bool
	n    map[netip.Addr]int
}

func (r *reports) take(a netip.Addr, answered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n[a]++; r.last[a] != answered {
		r.last[a], r.n[a] = answered, 1
	}
}

// await waits until the reports of a target have not changed for a while.
func (r *reports) await(t *testing.T, a netip.Addr, answered bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		r.mu.Lock()
		done := r.last[a] == answered && r.n[a] >= 5
		r.mu.Unlock()
		if done {
			return
		}
	}
	t.Fatalf("%v: never answered %v five times in a row", a, answered)
}

func TestProbes(t *testing.T) {
	for _, f := range []struct{ own, alive, nowhere, deaf string }{
		{"198.18.1.1/24", "198.18.1.11", "198.18.9.9", "ipv4/icmp_echo_ignore_all"}, // no route leads to 198.18.9.9
		{"2001:2:0:1::1/64", "2001:2:0:1::11", "2001:2:0:9::9", "ipv6/icmp/echo_ignore_all"},
	} {
		probes(t, f.own, netip.MustParseAddr(f.alive), netip.MustParseAddr(f.nowhere), "/proc/sys/net/"+f.deaf)
	}
}

// probes has a prober on an address probe two hosts, of which the first can be made deaf.
func probes(t *testing.T, own string, alive, nowhere netip.Addr, deaf string) {
	node, world := netlab.Space(t), netlab.Space(t)
	silence := func(on string) {
		netlab.In(t, world, func() error { return os.WriteFile(deaf, []byte(on), 0o644) })
	}
	var log bytes.Buffer
	said := &reports{last: map[netip.Addr]bool{}, n: map[netip.Addr]int{}}
	var p *Prober
	netlab.In(t, node, func() (err error) {
		if err := netlab.Cable("backend0", "eth0", world); err != nil {
			return err
		}
		if err := netlab.Up("backend0", own); err != nil {
			return err
		}
		p, err = New(Config{Targets: []netip.Addr{alive, nowhere}, Every: 20 * time.Millisecond, Report: said.take,
			Log: slog.New(slog.NewTextHandler(&log, nil))})
		return err
	})
	netlab.In(t, world, func() error {
		return netlab.Up("eth0", netip.PrefixFrom(alive, netip.MustParsePrefix(own).Bits()).String())
	})

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { p.Run(ctx); close(ended) }()

	said.await(t, alive, true)
	said.await(t, nowhere, false)
	silence("1")
	said.await(t, alive, false)
	silence("0")
	said.await(t, alive, true)

	cancel()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the prober does not end")
	}
	p.Close()
	if n := strings.Count(log.String(), "cannot be probed"); n != 1 || !strings.Contains(log.String(), nowhere.String()) {
		t.Errorf("%d lines about a target that cannot be probed:\n%s", n, log.String())
	}
}

// A reply from another host or for an earlier round does not count.
func TestAnswersOfOthersDoNotCount(t *testing.T) {
	p := &Prober{seq: 7, targets: map[netip.Addr]*state{alive: {}}}
	for _, tt := range []struct {
		what     string
		from     netip.Addr
		seq      uint16
		answered bool
	}{
		{"another host's", nowhere, 7, false},
		{"to an earlier probe", alive, 6, false},
		{"its own", alive, 7, true},
	} {
		p.take(tt.from, tt.seq)
		if got := p.targets[alive].answered; got != tt.answered {
			t.Errorf("%s: counted %v", tt.what, got)
		}
	}
}
