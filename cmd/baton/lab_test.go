package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A lab is entered, asked and ended from other processes, and leaves nothing.
func TestALabIsExploredByHand(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces and eBPF")
	}
	file := scenario(t, "service web tcp 198.18.0.100:80\ntraffic web sessions tcp count=5 every=50ms\n@1s end\n")
	dir := filepath.Join(t.TempDir(), "lab")
	if r := baton(t, "lab", "exec", "--dir", dir, "lb1", "true"); r.code != exitBadInput || !strings.Contains(r.errout, "no lab runs in "+dir) {
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
