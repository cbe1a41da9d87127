package checker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/config"
)

// Limits of a script: the kept length of its output, and how long its pipe is read after it
// has exited.
const (
	maxOutput = 200
	pipeLimit = 50 * time.Millisecond
)

// script runs a program for a backend. At the deadline its process group is killed. If this process is killed, the
// kernel kills the program.
func script(ctx context.Context, s config.Service, backend netip.AddrPort) error {
	var output head
	cmd := exec.CommandContext(ctx, s.Check.Command[0], s.Check.Command[1:]...)
	cmd.Env = append(cmd.Environ(),
		"BATON_SERVICE="+s.Name, "BATON_PROTO="+string(s.Proto),
		"BATON_BACKEND="+backend.Addr().String(), fmt.Sprintf("BATON_PORT=%d", backend.Port()))
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	cmd.Cancel = func() error { return killGroup(cmd) }
	cmd.WaitDelay = pipeLimit
	if err := cmd.Start(); err != nil {
		return err
	}
	err := cmd.Wait()
	_ = killGroup(cmd) // children that are still running
	var ended *exec.ExitError
	if text := strings.TrimSpace(string(output.kept)); errors.As(err, &ended) && text != "" {
		line, _, _ := strings.Cut(text, "\n")
		return fmt.Errorf("%w: %s", err, line)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // it exited with 0, but a child holds its output open
	}
	return err
}

func killGroup(cmd *exec.Cmd) error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }

// head keeps the first bytes written to it. It embeds no buffer: a ReadFrom of the buffer would
// bypass Write and keep all.
type head struct{ kept []byte }

func (h *head) Write(b []byte) (int, error) {
	h.kept = append(h.kept, b[:min(len(b), maxOutput-len(h.kept))]...)
	return len(b), nil
}
