package bpf

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"baton/bpf/bpffs"
	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// pinFolder returns a folder for pins that is removed at the end of the test.
func pinFolder(t *testing.T) string {
	t.Helper()
	needRoot(t)
	fs, err := bpffs.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fs.Close() })
	return filepath.Join(fs.Dir(), "lb")
}

// restart ends the lab's dataplane, as the end of its process does, and opens another.
func (l *lab) restart(t *testing.T, cfg dataplane.Config) dataplane.Adoption {
	t.Helper()
	if err := l.dp.Close(); err != nil {
		t.Fatal(err)
	}
	l.reopen(t, cfg)
	return l.dp.Adopted()
}

func (l *lab) reopen(t *testing.T, cfg dataplane.Config) {
	t.Helper()
	inside(t, l.lb, func() error {
		dp, err := Open(cfg)
		if err == nil {
			l.dp = dp
		}
		return err
	})
}

// programs returns the ids of the programs on a link of the load balancer.
func (l *lab) programs(t *testing.T, name string) (ids []ebpf.ProgramID) {
	t.Helper()
	inside(t, l.lb, func() error {
		on, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		found, err := link.QueryPrograms(link.QueryOptions{Target: on.Attrs().Index, Attach: ebpf.AttachTCXIngress})
		if err != nil {
			return err
		}
		for _, p := range found.Programs {
			ids = append(ids, p.ID)
		}
		return nil
	})
	return ids
}

func bothFamilies(t *testing.T, f func(*testing.T)) {
	t.Run("IPv4", f)
	t.Run("IPv6", func(t *testing.T) { overIPv6(t); f(t) })
}

// A connection continues under a new process that adopts the table, with new programs in place of
// the old ones.
func TestThePinnedTableIsAdopted(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		cfg := labConfig(labService(flow.TCP, 80, dataplane.FullNAT, dataplane.RoundRobin, 8080))
		cfg.Pin = pinFolder(t)
		l := newLab(t, cfg)
		if a := l.dp.Adopted(); a != (dataplane.Adoption{}) {
			t.Fatalf("adopted %+v where nothing was pinned", a)
		}
		l.lease(t, clock.Never)
		go echo(l.listen(t, 8080))
		conn := l.dial(t, "tcp", 80)
		exchange(t, conn, "before")
		known := flow.Pedigree{Epoch: 7, Witnessed: 6, Seen: 8, Whole: true}
		if err := l.dp.Keep(known); err != nil {
			t.Fatal(err)
		}
		before := l.programs(t, "client0")

		known.Ended = clock.Never
		if a := l.restart(t, cfg); a != (dataplane.Adoption{Taken: true, Pedigree: known}) {
			t.Fatalf("adopted %+v", a)
		}
		if after := l.programs(t, "client0"); len(after) != len(before) || after[0] == before[0] {
			t.Errorf("the link runs %v, before %v: one program in place of each", after, before)
		}
		l.dropping(t, dataplane.DropNoLease, func() { conn.Write([]byte("after")) })
		l.lease(t, clock.Never)
		expect(t, conn, "after")
		exchange(t, l.dial(t, "tcp", 80), "a new one")
	})
}

// pinnedEcho returns a lab with a pinned table, and a UDP flow that was answered.
func pinnedEcho(t *testing.T) (*lab, dataplane.Config, net.Conn) {
	cfg := labConfig(labService(flow.UDP, 53, dataplane.FullNAT, dataplane.Maglev, 8053))
	cfg.Pin = pinFolder(t)
	l := newLab(t, cfg)
	l.echoDatagrams(t, 8053)
	l.lease(t, clock.Never)
	conn := l.dial(t, "udp", 53)
	exchange(t, conn, "before")
	return l, cfg, conn
}

// A dead process renews no lease: the programs that it has left forward until the lease ends, and
// no longer.
func TestForwardingEndsWithTheLeaseOfAProcessThatIsGone(t *testing.T) {
	l, cfg, conn := pinnedEcho(t)

	const length, past = 300 * time.Millisecond, 200 * time.Millisecond
	expiry := boottime.Now().Add(length)
	l.lease(t, expiry)
	if err := l.dp.Close(); err != nil {
		t.Fatal(err)
	}
	defer l.reopen(t, cfg) // for the lab to close, also if the test is skipped
	gone, last, replies, missed := boottime.Now(), clock.Instant(0), 0, 0
	for number := 0; boottime.Now() < expiry.Add(past); number++ {
		switch sent := boottime.Now(); {
		case answered(t, conn, number):
			replies, last, missed = replies+1, sent, 0
		case sent < expiry:
			missed++
		}
	}
	t.Logf("%d datagrams were forwarded after the process was gone, the last %v before the lease ended", replies, expiry.Sub(last))
	switch early := replies == 0 || expiry.Sub(last) > length/2 && last.Sub(gone) < length/2; {
	case early && missed < 10: // of some thirty in half a lease
		t.Skipf("the host stood still: only %d datagrams were sent after the last that was forwarded", missed)
	case early:
		t.Errorf("%d replies, the last to a datagram %v after the end of the process, and %d datagrams without one: forwarding goes on to the end of the lease", replies, last.Sub(gone), missed)
	}
	if last > expiry {
		t.Errorf("a datagram was forwarded %v after the end of the lease", last.Sub(expiry))
	}
}

// answered sends a numbered datagram, and reports whether its echo came soon.
func answered(t *testing.T, conn net.Conn, number int) bool {
	t.Helper()
	message := fmt.Sprintf("number %d", number)
	conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond)) // a pause before the write is none of the echo
	if _, err := conn.Write([]byte(message)); err != nil {
		t.Fatal(err)
	}
	for echo := make([]byte, 64); ; {
		n, err := conn.Read(echo)
		if err != nil {
			return false
		}
		if string(echo[:n]) == message {
			return true
		}
	}
}

// The lease ends with the adoption, however long it was: the new process is not MASTER yet.
func TestAdoptionEndsTheLease(t *testing.T) {
	l, cfg, conn := pinnedEcho(t)
	for name, next := range map[string]dataplane.Config{"an adopted table": cfg, "a refused one": withMaxFlows(cfg, 500)} {
		l.lease(t, clock.Never)
		l.restart(t, next)
		if got := l.dp.control.values[0].LeaseExpiry; got != 0 {
			t.Fatalf("%s: the lease ends at %v", name, got)
		}
		l.dropping(t, dataplane.DropNoLease, func() { conn.Write([]byte("after")) })
	}
}

func withMaxFlows(cfg dataplane.Config, n int) dataplane.Config {
	cfg.MaxFlows = n
	return cfg
}

// Pins that do not fit the program or the configuration are refused by name and removed: the node
// starts as usual, with an empty table and one program per link and family.
func TestWhatDoesNotFitIsRefused(t *testing.T) {
	base := labConfig(labService(flow.TCP, 80, dataplane.FullNAT, dataplane.RoundRobin, 8080))
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, next *dataplane.Config)
		want  string
		links int
	}{
		{"another size", func(_ *testing.T, next *dataplane.Config) { next.MaxFlows = 500 }, "for 500", 1},
		{"another family", func(t *testing.T, next *dataplane.Config) {
			next.VIPs = append(next.VIPs, dataplane.VIP{Addr: address("2001:2::64").Netip(), Link: next.ClientLink})
		}, "it is of IPv4 alone, and the configuration is of IPv4 and IPv6", 2},
		{"another layout", func(t *testing.T, next *dataplane.Config) {
			changeRecord(t, next.Pin, func(r *pinRecord) { r.Layout++ })
		}, "layout", 1},
		{"a table that is missing", func(t *testing.T, next *dataplane.Config) {
			if err := os.Remove(filepath.Join(next.Pin, "replies4")); err != nil {
				t.Fatal(err)
			}
		}, "table replies4 is not there", 1},
		{"a file that is another table", func(t *testing.T, next *dataplane.Config) {
			replies := filepath.Join(next.Pin, "replies4")
			if err := errors.Join(os.Remove(replies), os.Rename(filepath.Join(next.Pin, "tunnel_ends4"), replies)); err != nil {
				t.Fatal(err)
			}
		}, "table replies4 is another map", 1},
		{"a start that came to no end", func(t *testing.T, next *dataplane.Config) {
			if err := os.Remove(filepath.Join(next.Pin, pinnedRecord)); err != nil {
				t.Fatal(err)
			}
		}, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := base
			cfg.Pin = pinFolder(t)
			l := newLab(t, cfg)
			if err := l.dp.Apply(manyFlows(3)); err != nil {
				t.Fatal(err)
			}
			if err := l.dp.Close(); err != nil {
				t.Fatal(err)
			}
			next := cfg
			c.spoil(t, &next)
			l.reopen(t, next)
			a := l.dp.Adopted()
			if a.Taken || !strings.Contains(a.Refused, c.want) || (c.want == "") != (a.Refused == "") {
				t.Errorf("adopted %+v, want refused for %q", a, c.want)
			}
			if n := flowsOf(t, l.dp); n != 0 {
				t.Errorf("%d flows in a table that was refused", n)
			}
			if found := l.programs(t, "client0"); len(found) != c.links {
				t.Errorf("the link runs %v, want %d", found, c.links)
			}
			if a := l.restart(t, next); !a.Taken {
				t.Errorf("what follows a refusal is not adopted: %+v", a)
			}
		})
	}
}

func changeRecord(t *testing.T, dir string, change func(*pinRecord)) {
	t.Helper()
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, pinnedRecord), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var r pinRecord
	if err := m.Lookup(uint32(0), &r); err != nil {
		t.Fatal(err)
	}
	change(&r)
	if err := m.Put(uint32(0), r); err != nil {
		t.Fatal(err)
	}
}

// manyFlows are established flows of the lab's service.
func manyFlows(n int) []flow.Entry {
	entries := make([]flow.Entry, n)
	for i := range entries {
		o := flow.Tuple{Proto: flow.TCP, Src: flow.IPv4(198, 19, byte(i>>16), byte(i>>8)), SrcPort: uint16(1024 + i&0xff),
			Dst: address(vipAddr), DstPort: 80}
		r := flow.Tuple{Proto: flow.TCP, Src: address(backendAddr), SrcPort: 8080, Dst: flow.IPv4(198, 18, byte(100+i>>16), byte(i>>8)), DstPort: uint16(1024 + i&0xff)}
		entries[i] = flow.Entry{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced, Remaining: time.Hour}
	}
	return entries
}

func flowsOf(t *testing.T, d *Dataplane) (n int) {
	t.Helper()
	if err := d.Dump(func(flow.Entry) bool { n++; return true }); err != nil {
		t.Fatal(err)
	}
	return n
}

// A re-created device gets the programs; the link that was pinned for the old device is not used.
func TestThePinnedLinkOfAnotherDevice(t *testing.T) {
	cfg := labConfig(labService(flow.TCP, 80, dataplane.FullNAT, dataplane.RoundRobin, 8080))
	cfg.Pin = pinFolder(t)
	l := newLab(t, cfg)
	if err := l.dp.Close(); err != nil {
		t.Fatal(err)
	}
	inside(t, l.lb, func() error {
		old, err := netlink.LinkByName("client0")
		if err != nil {
			return err
		}
		return netlink.LinkDel(old)
	})
	wire(t, l.lb, "client0", "198.18.0.1/24", l.client, "eth0", clientAddr+"/24")
	for range 2 {
		l.reopen(t, cfg)
		if a := l.dp.Adopted(); !a.Taken {
			t.Errorf("the table is not adopted: %+v", a)
		}
		l.lease(t, clock.Never)
		if found := l.programs(t, "client0"); len(found) != 1 {
			t.Errorf("the new device runs %v", found)
		}
		if err := l.dp.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l.reopen(t, cfg)
	l.lease(t, clock.Never)
	go echo(l.listen(t, 8080))
	exchange(t, l.dial(t, "tcp", 80), "by the new device")
}

func TestPinRefusesItsFolder(t *testing.T) {
	cfg := labConfig(labService(flow.TCP, 80, dataplane.FullNAT, dataplane.RoundRobin, 8080))
	cfg.Pin = pinFolder(t)
	l := newLab(t, cfg)
	for want, dir := range map[string]string{"another process's": cfg.Pin, "is not in a bpffs": t.TempDir()} {
		cfg.Pin = dir
		inside(t, l.lb, func() error {
			d, err := Open(cfg)
			if err == nil {
				d.Close()
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("open with %s: %v, want %q", dir, err, want)
			}
			return nil
		})
	}
}

// A restart with 100,000 flows keeps all of them, and is fast enough for waiting clients.
func TestRestartWithManyFlows(t *testing.T) {
	cfg := labConfig(labService(flow.TCP, 80, dataplane.FullNAT, dataplane.RoundRobin, 8080))
	cfg.Pin, cfg.MaxFlows = pinFolder(t), 1<<17
	l := newLab(t, cfg)
	const flows = 100_000
	if err := l.dp.Apply(manyFlows(flows)); err != nil {
		t.Fatal(err)
	}
	began := boottime.Now()
	l.restart(t, cfg)
	opened := boottime.Now()
	if n := flowsOf(t, l.dp); n != flows {
		t.Errorf("%d flows, want %d", n, flows)
	}
	t.Logf("closed and opened in %v, %d flows read in %v", opened.Sub(began), flows, boottime.Now().Sub(opened))
}
