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

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

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
	node, world := netlab.Space(t), netlab.Space(t)
	silence := func(on string) {
		netlab.In(t, world, func() error { return os.WriteFile("/proc/sys/net/ipv4/icmp_echo_ignore_all", []byte(on), 0o644) })
	}
	var log bytes.Buffer
	said := &reports{last: map[netip.Addr]bool{}, n: map[netip.Addr]int{}}
	var p *Prober
	netlab.In(t, node, func() (err error) {
		if err := netlab.Cable("backend0", "eth0", world); err != nil {
			return err
		}
		if err := netlab.Up("backend0", "198.18.1.1/24"); err != nil {
			return err
		}
		p, err = New(Config{Targets: []netip.Addr{alive, nowhere}, Every: 20 * time.Millisecond, Report: said.take,
			Log: slog.New(slog.NewTextHandler(&log, nil))})
		return err
	})
	netlab.In(t, world, func() error { return netlab.Up("eth0", alive.String()+"/24") })

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

func echo(t *testing.T, reply bool, id, seq int) []byte {
	t.Helper()
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: id, Seq: seq}}
	if reply {
		m.Type = ipv4.ICMPTypeEchoReply
	}
	packet, err := m.Marshal(nil)
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

// A reply from another host, to another host or for an earlier round does not count.
func TestAnswersOfOthersDoNotCount(t *testing.T) {
	var p *Prober
	netlab.In(t, netlab.Space(t), func() (err error) {
		p, err = New(Config{Targets: []netip.Addr{alive}, Every: time.Second, Log: slog.New(slog.DiscardHandler)})
		return err
	})
	defer p.Close()
	p.seq = 7
	for _, tt := range []struct {
		what     string
		reply    bool
		from     netip.Addr
		id, seq  int
		answered bool
	}{
		{"a request", false, alive, p.id, 7, false},
		{"another host's", true, nowhere, p.id, 7, false},
		{"to another process", true, alive, p.id ^ 1, 7, false},
		{"to an earlier probe", true, alive, p.id, 6, false},
		{"its own", true, alive, p.id, 7, true},
	} {
		p.take(echo(t, tt.reply, tt.id, tt.seq), tt.from)
		if got := p.targets[alive].answered; got != tt.answered {
			t.Errorf("%s: counted %v", tt.what, got)
		}
	}
	p.take([]byte{0}, alive)
}
