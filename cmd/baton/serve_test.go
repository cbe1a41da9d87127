package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"baton/reports/serve"
)

// A folder or address that cannot be served is bad input, and the message names it.
func TestServeSaysWhatItCannotServe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"nothing: no such file or directory": {dir + "/nothing"},
		"file is not a folder":               {file},
		"address already in use":             {"--listen", taken.Addr().String(), dir},
		"--listen 8370":                      {"--listen", "8370", dir},
		"--last 0":                           {"--last", "0", dir},
		"accepts 1 arg":                      {},
	} {
		if r := baton(t, append([]string{"serve"}, args...)...); r.code != exitBadInput || !strings.Contains(r.errout, want) || r.out != "" {
			t.Errorf("%v: exit code %d, %s%s; want %q", args, r.code, r.out, r.errout, want)
		}
	}
}

// An interrupt ends the server with exit code 0, even while a browser follows.
func TestServeEndsAtAnInterrupt(t *testing.T) {
	dir := t.TempDir()
	if r := baton(t, "run", "--world", "sim", "--out", dir, "../../scenarios/crash-master.scn"); r.code != exitPass {
		t.Fatalf("exit code %d\n%s", r.code, r.errout)
	}
	command := exec.Command(os.Args[0], "serve", "--listen", "127.0.0.1:0", dir)
	command.Env = append(os.Environ(), asBaton+"=1")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
	defer deadline.Stop()
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	address := regexp.MustCompile(`http://\S+/`).FindString(first)
	if err != nil || address == "" {
		t.Fatalf("%q, %v", first, err)
	}
	answer, err := http.Get(address + "runs/crash-master/")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(text), `id="run-0"`) {
		t.Errorf("the run's page: %s, %v", answer.Status, err)
	}
	follows, err := http.Get(address + "events")
	if err != nil {
		t.Fatal(err)
	}
	defer follows.Body.Close()
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("%v, want exit code 0", err)
	}
}

// --json prints the index and exits.
func TestServePrintsTheIndex(t *testing.T) {
	dir := t.TempDir()
	if r := baton(t, "run", "--world", "sim", "--out", dir, "--repeat", "2", "../../scenarios/crash-master.scn"); r.code != exitPass {
		t.Fatalf("exit code %d\n%s", r.code, r.errout)
	}
	r := baton(t, "serve", "--json", dir)
	var x serve.Index
	if err := json.Unmarshal([]byte(r.out), &x); err != nil || r.code != exitPass {
		t.Fatalf("exit code %d, %v\n%s%s", r.code, err, r.out, r.errout)
	}
	if len(x.Scenarios) != 1 || x.Scenarios[0].Passed != 2 || x.Scenarios[0].Scenario != "crash-master" {
		t.Errorf("%+v", x.Scenarios)
	}
}
