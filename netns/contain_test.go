package netns

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// TestATreeIsFoundBothWays: the walk down the children finds the same processes as the scan
// of the PID namespace.
func TestATreeIsFoundBothWays(t *testing.T) {
	shell := exec.Command("sh", "-c", "setsid sleep 60 & wait")
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Process{pid: shell.Process.Pid, contained: true}
	var tree []int
	for deadline := time.Now().Add(5 * time.Second); len(tree) < 2 && time.Now().Before(deadline); {
		tree = p.members()
	}
	inside := append(p.namespaceMembers(), p.pid)
	for _, pid := range tree {
		if !slices.Contains(inside, pid) {
			t.Errorf("process %d of the tree is not in its namespace", pid)
		}
		if child, err := os.FindProcess(pid); err == nil {
			_ = child.Kill() // of this test alone
		}
	}
	_ = shell.Wait()
	if len(tree) < 2 {
		t.Errorf("the child was not found: %d", tree)
	}
	if alone := (&Process{pid: os.Getpid()}).members(); len(alone) != 1 {
		t.Errorf("a process without a tree of its own has members: %d", alone)
	}
}
