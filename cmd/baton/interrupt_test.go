package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/scenarios"
	"baton/scenarios/evidence"
)

// Ctrl-C during a real run makes it inconclusive, keeps the results so far, and leaves neither a
// process nor a namespace behind.
func TestAnInterruptLeavesNothingBehind(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces and eBPF")
	}
	file := scenario(t, `service  web tcp 198.18.0.100:80 mode=fullnat
traffic  web sessions tcp count=5 every=50ms
@0s      wait  lb1 is Master and lb2 insync within 3s
@30s     end
`)
	results := t.TempDir()
	command := exec.Command(os.Args[0], "run", "--out", results, file)
	command.Env = append(os.Environ(), asBaton+"=1")
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	dir := filepath.Join(results, "x")
	await(t, "two nodes", ended, func() bool { return len(nodesOf(dir)) == 2 })
	spaces := namespacesOf(nodesOf(dir))
	if len(spaces) != 2 {
		t.Fatalf("the nodes are in namespaces %v", spaces)
	}
	held := holdersOf(spaces)
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		_ = command.Process.Kill()
		t.Fatal("it did not end")
	}
	if code := command.ProcessState.ExitCode(); code != exitInconclusive || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
	if left := nodesOf(dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	// Other processes may use new namespaces with the same numbers.
	for _, holder := range holdersOf(spaces) {
		if slices.Contains(held, holder) {
			t.Errorf("%s holds a namespace of the run", holder)
		}
	}
	m, err := evidence.Read(dir)
	if err != nil || len(m.Files) == 0 {
		t.Errorf("evidence %+v, %v", m, err)
	}
	if _, err := os.Stat(filepath.Join(dir, scenarios.TraceFile)); err != nil {
		t.Error(err)
	}
}

// await waits for a condition while a command runs.
func await(t *testing.T, what string, ended <-chan error, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		select {
		case err := <-ended:
			t.Fatalf("the command ended before there were %s: %v", what, err)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s", what)
		}
	}
}

// nodesOf returns the processes of nodes whose configuration is in a folder.
func nodesOf(dir string) (pids []string) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, line := range lines {
		args, err := os.ReadFile(line)
		if err == nil && strings.Contains(string(args), "\x00node\x00") && strings.Contains(string(args), dir) {
			pids = append(pids, filepath.Base(filepath.Dir(line)))
		}
	}
	return pids
}

// namespacesOf returns the network namespaces of processes in the form of links in /proc.
func namespacesOf(pids []string) map[string]bool {
	spaces := map[string]bool{}
	for _, pid := range pids {
		if space, err := os.Readlink("/proc/" + pid + "/ns/net"); err == nil {
			spaces[space] = true
		}
	}
	return spaces
}

// holdersOf lists the processes and descriptors that use one of the namespaces.
func holdersOf(spaces map[string]bool) (holders []string) {
	for _, pattern := range []string{"/proc/[0-9]*/task/*/ns/net", "/proc/[0-9]*/fd/*"} {
		links, _ := filepath.Glob(pattern)
		for _, link := range links {
			if space, err := os.Readlink(link); err == nil && spaces[space] {
				holders = append(holders, fmt.Sprintf("%s (%s)", link, space))
			}
		}
	}
	return holders
}
