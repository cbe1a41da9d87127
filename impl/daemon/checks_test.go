package daemon

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
)

// checkingNode starts a node that checks a backend by a script, and returns its check process.
func checkingNode(t *testing.T, script string) (n *testNode, process int) {
	t.Helper()
	n = newPair(t).nodes[0]
	n.Services[0].Check = config.Check{Type: config.CheckScript, Command: []string{"/bin/sh", "-c", script},
		Interval: config.Duration(50 * time.Millisecond), Timeout: config.Duration(25 * time.Millisecond), Rise: 1, Fall: 1, AllDown: config.AllDownSilent}
	n.writeConfig(t)
	n.start(t)
	return n, n.checkProcess(t)
}

// checkProcess waits until the node's check process has checked a backend, and returns it.
func (n *testNode) checkProcess(t *testing.T) int {
	t.Helper()
	n.waitStatus(t, "checking", func(s control.Status) bool { return s.Services[0].Backends[0].Probes > 0 })
	children := childrenOf(t, n.cmd.Process.Pid)
	if len(children) != 1 {
		t.Fatalf("the node has the processes %v, want one", children)
	}
	return children[0]
}

// policies returns the scheduling policy and nice value of each thread of a process.
func policies(t *testing.T, pid int) (found []string) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // ended meanwhile
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // from the 3rd on
		found = append(found, fmt.Sprintf("policy %s nice %s", fields[41-3], fields[19-3]))
	}
	return found
}

// openFiles returns the open files of a process by their descriptors.
func openFiles(t *testing.T, pid int) map[string]string {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil { // else closed meanwhile
			files[filepath.Base(link)] = to
		}
	}
	return files
}

// TestTheChecksHaveTheOrdinaryPriority: and so have the scripts, although the node that starts them has real-time
// priority. The process inherits nothing of the node.
func TestTheChecksHaveTheOrdinaryPriority(t *testing.T) {
	n, process := checkingNode(t, "cut -d' ' -f41 /proc/self/stat; exit 3")
	s := n.waitStatus(t, "with a backend that is down", func(s control.Status) bool { return s.Services[0].Backends[0].State == "down" })
	if why := s.Services[0].Backends[0].Why; !strings.Contains(why, "exit status 3: 0") {
		t.Errorf("the script says %q, want the policy 0", why)
	}
	restart := func() {
		if err := unix.Kill(process, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		n.waitStatus(t, "without its process", func(s control.Status) bool { return s.Loop.Failures[callChecks] == 1 })
		awaitCondition(t, "another process", func() bool { return len(childrenOf(t, n.cmd.Process.Pid)) == 1 })
		process = childrenOf(t, n.cmd.Process.Pid)[0]
		awaitCondition(t, "the process has its name", func() bool {
			comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", process))
			return err == nil && string(comm) == "baton-checks\n"
		})
	}
	for _, again := range []bool{false, true} { // the first is started before the node has its priority
		if again {
			restart()
		}
		if threads := policies(t, n.cmd.Process.Pid); !slices.Contains(threads, "policy 1 nice 0") {
			t.Fatalf("the node has %q", threads)
		}
		awaitCondition(t, "all threads of the process have the ordinary priority", func() bool {
			threads := policies(t, process)
			return len(threads) > 0 && !slices.ContainsFunc(threads, func(p string) bool { return p != "policy 0 nice 0" })
		})
		ofNode, own := openFiles(t, n.cmd.Process.Pid), openFiles(t, process)
		if ofNode["3"] == "" || !slices.ContainsFunc(slices.Collect(maps.Values(ofNode)), func(to string) bool { return strings.Contains(to, "bpf-map") }) {
			t.Fatalf("the node has %v, neither its trace nor its maps", ofNode)
		}
		if log := own["2"]; log != ofNode["2"] {
			t.Errorf("the process logs to %s, the node to %s", log, ofNode["2"])
		}
		given := slices.Collect(maps.Values(openFiles(t, os.Getpid()))) // by whoever runs this test
		for fd, to := range own {
			_, numbered, _ := strings.Cut(to, ":[") // a pipe or a socket
			shared := strings.Trim(numbered, "0123456789") == "]" && slices.Contains(slices.Collect(maps.Values(ofNode)), to)
			if fd != "2" && (strings.Contains(to, "bpf") || to == ofNode["3"] || shared && !slices.Contains(given, to)) {
				t.Errorf("the process has %s of the node", to)
			}
		}
	}
	n.awaitLog(t, "backends are not checked until the check process runs again")
}

// TestTheChecksEndWithTheNode: when it is killed, and when it is told to stop, also if their process is stuck.
func TestTheChecksEndWithTheNode(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGTERM} {
		for _, stuck := range []bool{false, true} {
			n, process := checkingNode(t, "exit 0")
			if stuck {
				if err := unix.Kill(process, unix.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			if err := n.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			_ = n.wait(t)
			t.Cleanup(func() {
				if !ended(process) {
					_ = unix.Kill(process, unix.SIGKILL)
				}
			})
			awaitCondition(t, fmt.Sprintf("the process is gone after %s; stuck: %v", unix.SignalName(sig), stuck), func() bool { return ended(process) })
		}
	}
}

// ended reports whether a process has ended. A zombie has.
func ended(pid int) bool {
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return errors.Is(err, os.ErrNotExist) || strings.Contains(string(state), ") Z ")
}

// TestANodeWithoutChecksHasNoProcess: nor does it start one until a reload wants it.
func TestANodeWithoutChecksHasNoProcess(t *testing.T) {
	n := newPair(t).nodes[0]
	n.start(t)
	n.waitStatus(t, "MASTER", is("Master"))
	if children := childrenOf(t, n.cmd.Process.Pid); len(children) > 0 {
		t.Fatalf("the node has the processes %v", children)
	}
	n.Services[0].Check = checkedService(config.TCP).Check
	n.Services[0].Check.Type, n.Services[0].Check.OnDown = config.CheckICMP, ""
	n.Services[0].Backends = []netip.AddrPort{netip.MustParseAddrPort("198.18.1.1:80")} // its own address
	n.writeConfig(t)
	if err := n.cmd.Process.Signal(unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	process := n.checkProcess(t)
	threads := policies(t, process)
	if slices.ContainsFunc(threads, func(p string) bool { return p != "policy 0 nice 0" }) {
		t.Errorf("the process has %q", threads)
	}
}

// TestChecksThatDoNotRunAreAnAlarm: only of a node that has any.
func TestChecksThatDoNotRunAreAnAlarm(t *testing.T) {
	why := errors.New("the check process has ended: signal: killed")
	unchecked := control.Service{Name: "api"}
	for _, tt := range []struct {
		services []control.Service
		why      error
		alarms   int
	}{
		{[]control.Service{unchecked, {Name: "web", Checked: true}}, why, 1},
		{[]control.Service{unchecked, {Name: "web", Checked: true}}, nil, 0},
		{[]control.Service{unchecked}, why, 0},
	} {
		if alarms := checkAlarms(tt.services, tt.why); len(alarms) != tt.alarms || tt.alarms > 0 && !strings.HasSuffix(alarms[0], why.Error()) {
			t.Errorf("%v with %+v: alarms %q, want %d", tt.why, tt.services, alarms, tt.alarms)
		}
	}
}
