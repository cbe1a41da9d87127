package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asBaton makes the test binary act as the baton command, also for the nodes that it starts.
const asBaton = "TEST_AS_BATON"

func TestMain(m *testing.M) {
	if os.Getenv(asBaton) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience bounds every command of a test; only a failing test reaches it.
const patience = time.Minute

// ran is the result of a command.
type ran struct {
	code        int
	out, errout string
}

// baton runs the command.
func baton(t *testing.T, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0], args...)
	command.Env = append(os.Environ(), asBaton+"=1")
	var out, errout bytes.Buffer
	command.Stdout, command.Stderr = &out, &errout
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{command.ProcessState.ExitCode(), out.String(), errout.String()}
}

// scenario writes a scenario file named x.scn and returns its path. A service follows the lines
// unless they have one.
func scenario(t *testing.T, lines string) string {
	t.Helper()
	if !strings.Contains(lines, "service ") {
		lines += "service web tcp 198.18.0.100:80\n"
	}
	file := filepath.Join(t.TempDir(), "x.scn")
	if err := os.WriteFile(file, []byte("scenario x\n"+lines), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
