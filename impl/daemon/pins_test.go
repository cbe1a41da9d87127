package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/control"
)

// mountedBPFFS mounts a BPF file system that ends with the test.
func mountedBPFFS(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// killed ends a node as a crash does.
func (n *testNode) killed(t *testing.T) {
	t.Helper()
	if err := n.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = n.wait(t)
}

// TestPinsAreToldOf: the status shows what happened to the pinned table, and programs in a
// folder that is no longer configured, until the folder is removed.
func TestPinsAreToldOf(t *testing.T) {
	n := newPair(t).nodes[0]
	n.Pin = filepath.Join(mountedBPFFS(t), "old")
	restarted := func() control.Status {
		n.writeConfig(t)
		n.start(t)
		return n.waitStatus(t, "up", is("Backup"))
	}
	if p := restarted().Pinned; p == nil || *p != (control.Pinned{Dir: n.Pin, Outcome: control.PinNew}) {
		t.Errorf("at first: %+v", p)
	}
	n.killed(t)
	s := restarted()
	if p := s.Pinned; p.Outcome != control.PinAdopted || s.Adopted == nil {
		t.Errorf("adopted: %+v, %+v", p, s.Adopted)
	}
	n.killed(t)
	n.MaxFlows = 5000
	if p := restarted().Pinned; p.Outcome != control.PinRefused || !strings.Contains(p.Why, "max_flows") {
		t.Errorf("refused: %+v", p)
	}
	n.killed(t)

	left := n.Pin
	for _, next := range []string{"", filepath.Join(filepath.Dir(left), "new")} {
		n.Pin = next
		s := restarted()
		if told := alarmed(left, n.Links.Client, n.Links.Backend, "rm -r"); !told(s) {
			t.Errorf("pin %q: the alarms are %q", next, s.Alarms)
		}
		if !strings.Contains(n.log.String(), "rm -r "+left) {
			t.Errorf("pin %q: not a line in the log:\n%s", next, n.log.String())
		}
		if next != "" {
			break
		}
		n.killed(t)
	}
	if err := os.RemoveAll(left); err != nil {
		t.Fatal(err)
	}
	n.waitStatus(t, "rid of the alarm", func(s control.Status) bool {
		return !slices.ContainsFunc(s.Alarms, func(a string) bool { return strings.Contains(a, left) })
	})
}
