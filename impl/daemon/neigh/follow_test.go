package neigh

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/daemon/internal/netlab"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestANeighbourMovesToAnotherLink: whichever of them it is, and no other with it.
func TestANeighbourMovesToAnotherLink(t *testing.T) {
	one, two := Neighbour{Link: 3, Addr: netip.MustParseAddr("198.18.9.1")}, Neighbour{Link: 4, Addr: netip.MustParseAddr("198.18.9.2")}
	given := []Neighbour{one, two}
	f, err := NewFollower(given, slog.New(slog.DiscardHandler), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Move(one, 7)
	f.Move(Neighbour{Link: 9, Addr: two.Addr}, 8) // which it does not follow
	if got := f.followed(); !slices.Equal(got, []Neighbour{{7, one.Addr}, two}) {
		t.Errorf("it follows %v", got)
	}
	if given[0] != one {
		t.Error("the caller's list has changed")
	}
}

// TestWhatAnUpdateSays: an entry that is deleted or unusable has no address, whatever the update holds.
func TestWhatAnUpdateSays(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	for _, c := range []struct {
		kind  uint16
		state int
		known bool
	}{
		{unix.RTM_NEWNEIGH, netlink.NUD_REACHABLE, true}, {unix.RTM_NEWNEIGH, netlink.NUD_STALE, true},
		{unix.RTM_NEWNEIGH, netlink.NUD_FAILED, false}, {unix.RTM_DELNEIGH, netlink.NUD_REACHABLE, false}, {unix.RTM_DELNEIGH, netlink.NUD_FAILED, false},
	} {
		n, got := parseUpdate(netlink.NeighUpdate{Type: c.kind, Neigh: netlink.Neigh{LinkIndex: 3, IP: net.IPv4(198, 18, 9, 2), HardwareAddr: mac, State: c.state}})
		if n != (Neighbour{3, netip.MustParseAddr("198.18.9.2")}) || (got != nil) != c.known {
			t.Errorf("type %d in state %#x: %v has %v", c.kind, c.state, n, got)
		}
	}
}

// TestFollowTellsTheLinkLayerAddressOfANeighbour: without traffic to it, again when it
// changes, and nil when the entry is gone.
func TestFollowTellsTheLinkLayerAddressOfANeighbour(t *testing.T) {
	spaces := [2]ns.NetNS{netlab.Space(t), netlab.Space(t)}
	in := func(i int, f func() error) { t.Helper(); netlab.In(t, spaces[i], f) }
	in(0, func() error { return netlab.Cable("e0", "e1", spaces[1]) })
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	index := setUp(in, 0, "e0", "198.18.9.1/24", nil)
	setUp(in, 1, "e1", "198.18.9.2/24", mac)

	peer := Neighbour{Link: index, Addr: netip.MustParseAddr("198.18.9.2")}
	var f *Follower
	in(0, func() (err error) {
		f, err = NewFollower([]Neighbour{peer}, slog.New(slog.DiscardHandler), func() {})
		return err
	})
	defer f.Close()
	ctx, cancel := context.WithCancel(context.Background())
	told, ended := make(chan net.HardwareAddr, 256), make(chan struct{})
	go func() {
		defer close(ended)
		f.Run(ctx, func(n Neighbour, mac net.HardwareAddr) {
			if n == peer {
				told <- slices.Clone(mac)
			}
		})
	}()
	defer func() { cancel(); <-ended }()
	await := func(what string, want net.HardwareAddr) {
		t.Helper()
		deadline := time.After(patience)
		for {
			select {
			case got := <-told:
				if slices.Equal(got, want) {
					return
				}
			case <-deadline:
				t.Fatalf("%s: %v was not told within %v", what, want, patience)
			}
		}
	}
	await("at first", mac)
	other := net.HardwareAddr{2, 0, 0, 0, 0, 2}
	in(1, func() error {
		link, err := netlink.LinkByName("e1")
		if err != nil {
			return err
		}
		return netlink.LinkSetHardwareAddr(link, other)
	})
	entry := &netlink.Neigh{LinkIndex: index, IP: net.IPv4(198, 18, 9, 2).To4()}
	in(0, func() error { return netlink.NeighDel(entry) })
	await("removed", nil)
	await("after a change", other)
}

// TestFollowNeedsNoRightToEnterANamespace: a follower in a process of its own, with the
// capabilities that docs/operations/baton.service grants.
func TestFollowNeedsNoRightToEnterANamespace(t *testing.T) {
	const child = "BATON_TEST_FOLLOW"
	if link := os.Getenv(child); link != "" {
		followOnce(t, link)
		return
	}
	spaces := [2]ns.NetNS{netlab.Space(t), netlab.Space(t)}
	in := func(i int, f func() error) { t.Helper(); netlab.In(t, spaces[i], f) }
	in(0, func() error { return netlab.Cable("e0", "e1", spaces[1]) })
	setUp(in, 0, "e0", "198.18.9.1/24", nil)
	setUp(in, 1, "e1", "198.18.9.2/24", net.HardwareAddr{2, 0, 0, 0, 0, 1})
	in(0, func() error {
		unprivileged := exec.Command("setpriv", "--no-new-privs", "--bounding-set", "-sys_admin", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		unprivileged.Env = append(os.Environ(), child+"=e0")
		out, err := unprivileged.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "told 02:00:00:00:00:01") {
			return fmt.Errorf("%w, and it printed:\n%s", cmp.Or(err, errors.New("nothing was told")), out)
		}
		return nil
	})
}

// followOnce prints the first link-layer address of 198.18.9.2 that a follower reports. It
// fails with the follower's log if there is none.
func followOnce(t *testing.T, name string) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	var log netlab.Buffer
	f, err := NewFollower([]Neighbour{{Link: link.Index, Addr: netip.MustParseAddr("198.18.9.2")}}, slog.New(slog.NewTextHandler(&log, nil)), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	told := false
	f.Run(ctx, func(_ Neighbour, mac net.HardwareAddr) {
		if len(mac) > 0 && !told {
			told = true
			fmt.Println("told", mac)
			cancel()
		}
	})
	cancel()
	if !told {
		t.Fatalf("no address within %v:\n%s", patience, log.String())
	}
}

// setUp gives an interface an address, and a hardware address where one is named, and
// returns its index.
func setUp(in func(int, func() error), space int, name, prefix string, mac net.HardwareAddr) (index int) {
	in(space, func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		index = link.Attrs().Index
		if mac != nil {
			if err := netlink.LinkSetHardwareAddr(link, mac); err != nil {
				return err
			}
		}
		return netlab.Up(name, prefix)
	})
	return index
}

// A refused request is counted each time, and logged only once in a while.
func TestARefusedRequestIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	var f *Follower
	failed := 0
	space := netlab.Space(t)
	netlab.In(t, space, func() (err error) {
		f, err = NewFollower([]Neighbour{{Link: 1 << 20, Addr: netip.MustParseAddr("198.18.9.2")}}, slog.New(slog.NewTextHandler(&log, nil)), func() { failed++ })
		return err
	})
	defer f.Close()
	handle, err := netlink.NewHandleAt(f.space, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	for range 3 {
		f.useAll(handle)
	}
	if lines := strings.Count(log.String(), "198.18.9.2"); lines != 1 {
		t.Errorf("%d lines, want 1:\n%s", lines, log.String())
	}
	if failed != 3 {
		t.Errorf("%d failures were counted, want each of the 3", failed)
	}
}
