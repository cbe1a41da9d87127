package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Other processes can run programs in a lab, query it and end it. It leaves nothing behind.
func TestALabIsExploredByHand(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces and eBPF")
	}
	file := scenario(t, "service web tcp 198.18.0.100:80\ntraffic web sessions tcp count=5 every=50ms\n@1s end\n")
	dir := filepath.Join(t.TempDir(), "lab")
	if r := baton(t, "lab", "exec", "--dir", dir, "lb1", "true"); r.code != exitFail || !strings.Contains(r.errout, "no lab runs in "+dir) {
		t.Errorf("without a lab: exit code %d\n%s", r.code, r.errout)
	}
	up := exec.Command(os.Args[0], "lab", "up", "--dir", dir, file)
	up.Env = append(os.Environ(), asBaton+"=1")
	var out bytes.Buffer
	up.Stdout, up.Stderr = &out, &out
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- up.Wait() }()
	t.Cleanup(func() { _ = up.Process.Kill() })
	await(t, "a lab", ended, func() bool { _, err := readLab(dir); return err == nil })

	l, err := readLab(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range l.Doors {
		r := baton(t, "lab", "exec", "--dir", dir, d.Host, "readlink", "/proc/self/ns/net")
		if want := fmt.Sprintf("net:[%d]\n", d.Inode); r.code != exitPass || r.out != want {
			t.Errorf("inside %s: %q, exit code %d, want %q\n%s", d.Host, r.out, r.code, want, r.errout)
		}
	}
	if r := baton(t, "lab", "exec", "--dir", dir, "lb1", "sh", "-c", "exit 7"); r.code != 7 {
		t.Errorf("the program's exit code 7 came as %d", r.code)
	}
	if r := baton(t, "lab", "exec", "--dir", dir, "lb9", "true"); r.code != exitBadInput || !strings.Contains(r.errout, "clients, backends, lb1, lb2, client1") {
		t.Errorf("a host that is not there: exit code %d\n%s", r.code, r.errout)
	}
	if r := baton(t, "lab", "up", "--dir", dir, file); r.code != exitBadInput || !strings.Contains(r.errout, "runs in "+dir+" already") {
		t.Errorf("a second lab: exit code %d\n%s", r.code, r.errout)
	}
	await(t, "a MASTER", ended, func() bool {
		return strings.Contains(baton(t, "status", filepath.Join(dir, "lb1.sock")).out, "Master")
	})
	labIsBroken(t, dir)
	held := holdersOf(map[string]bool{fmt.Sprintf("net:[%d]", l.Doors[0].Inode): true})
	if len(held) == 0 {
		t.Fatal("nobody holds the namespaces of a lab that runs")
	}
	if r := baton(t, "lab", "down", "--dir", dir); r.code != exitPass {
		t.Errorf("down: exit code %d\n%s", r.code, r.errout)
	}
	if err := <-ended; err != nil || !strings.Contains(out.String(), "nsenter --net="+l.Doors[0].Path) || strings.Contains(out.String(), "left behind") {
		t.Errorf("the lab ended with %v\n%s", err, out.String())
	}
	if left := nodesOf(dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if _, err := os.Stat(filepath.Join(dir, labFile)); err == nil {
		t.Error("the way in is left behind")
	}
}

// labIsBroken injects faults into a lab, written as steps of scenarios.
func labIsBroken(t *testing.T, dir string) {
	t.Helper()
	awaitLab(t, dir, "lb1  Master")
	for _, step := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"status"}, exitPass, "lb1  Master"},
		{[]string{"fault", "cut lb1->lb2 via sync"}, exitPass, "cut lb1->lb2 via sync: receipt: "},
		{[]string{"status"}, exitPass, "cut  lb1>lb2 on sync"},
		{[]string{"fault", "heal", "lb2->lb1"}, exitBadInput, "heal lb2->lb1: nothing to heal there"},
		{[]string{"fault", "heal"}, exitPass, "heal: receipt: "},
		{[]string{"fault", "restore", "lb2"}, exitBadInput, "lb2 is not down; it needs an earlier crash, kill or stop"},
		{[]string{"fault", "freeze lb2 for 50ms"}, exitPass, "in 50ms: thaw lb2"},
		{[]string{"fault", "crsh lb1"}, exitBadInput, `did you mean "crash"?`},
		{[]string{"fault", "wait lb1 is Master"}, exitBadInput, "wait is no fault"},
		{[]string{"fault", "crash lb9"}, exitBadInput, `unknown host "lb9"`},
		{[]string{"crash", "lb2"}, exitPass, "crash lb2: receipt: process "},
		{[]string{"crash", "lb2"}, exitBadInput, "lb2 has crashed already"},
		{[]string{"status"}, exitPass, "lb2  down"},
		{[]string{"restore", "lb2"}, exitPass, "restore lb2: receipt: "},
	} {
		if step.args[0] == "crash" && step.code == exitPass { // the thaw of the freeze comes first
			awaitLab(t, dir, "thaw lb2")
		}
		r := baton(t, append([]string{"lab", "--dir", dir}, step.args...)...)
		if r.code != step.code || !strings.Contains(r.out+r.errout, step.says) {
			t.Errorf("lab %v: exit code %d, no %q in\n%s%s", step.args, r.code, step.says, r.out, r.errout)
		}
	}
}

// awaitLab waits until the status of a lab contains a text.
func awaitLab(t *testing.T, dir, what string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(baton(t, "lab", "--dir", dir, "status").out, what); {
		if time.Now().After(deadline) {
			t.Fatalf("the lab never says %q", what)
		}
	}
}

// TestAFailedRunKeepsItsPair: its hosts can be inspected, and it still exits as a failure.
func TestAFailedRunKeepsItsPair(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces and eBPF")
	}
	file := scenario(t, "service web tcp 198.18.0.100:80\ntraffic web sessions tcp count=5 every=50ms\n"+
		"@0s wait lb1 is Master and lb2 insync within 5s\n@500ms crash lb1\n@1s expect forwarders == 0\n@2s end\n")
	results := t.TempDir()
	dir := filepath.Join(results, "x")
	run := exec.Command(os.Args[0], "run", "--keep-lab", "--repeat", "2", "--out", results, file)
	run.Env = append(os.Environ(), asBaton+"=1")
	var out bytes.Buffer
	run.Stdout, run.Stderr = &out, &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	t.Cleanup(func() { _ = run.Process.Kill() })
	await(t, "a kept pair", ended, func() bool { _, err := readLab(dir); return err == nil })
	if r := baton(t, "lab", "--dir", dir, "status"); r.code != exitPass || !strings.Contains(r.out, "lb1  down") {
		t.Errorf("status: exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	if r := baton(t, "lab", "--dir", dir, "restore", "lb1"); r.code != exitPass || !strings.Contains(r.out, "restore lb1: receipt") {
		t.Errorf("restore: exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	if r := baton(t, "lab", "--dir", dir, "down"); r.code != exitPass {
		t.Errorf("down: exit code %d\n%s", r.code, r.errout)
	}
	<-ended
	if code := run.ProcessState.ExitCode(); code != exitFail || !strings.Contains(out.String(), "FAIL          x") || strings.Count(out.String(), "results: ") != 1 {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
	if left := nodesOf(dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

// TestALabMayEndAsItBegins: a lab that is ended while its traffic starts was ended in order, like any other.
func TestALabMayEndAsItBegins(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces and eBPF")
	}
	file := scenario(t, "service web tcp 198.18.0.100:80\ntraffic web sessions tcp count=5 every=50ms\n@1s end\n")
	for range 3 {
		dir := filepath.Join(t.TempDir(), "lab")
		up := exec.Command(os.Args[0], "lab", "up", "--dir", dir, file)
		up.Env = append(os.Environ(), asBaton+"=1")
		out, err := up.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := up.Start(); err != nil {
			t.Fatal(err)
		}
		printed := ""
		for lines := bufio.NewScanner(out); lines.Scan(); {
			printed += lines.Text() + "\n"
			if strings.Contains(lines.Text(), "is Master") {
				_ = up.Process.Signal(os.Interrupt)
			}
		}
		if err := up.Wait(); err != nil || !strings.Contains(printed, "is Master") {
			t.Errorf("the lab ended with %v\n%s", err, printed)
		}
	}
}
