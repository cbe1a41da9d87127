package doctest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// A Shell is the folder in which the commands of one page run, one after the other.
type Shell struct {
	Dir string   // has the contents of the repository's top level
	Env []string // of the commands
	ran []int    // process groups
}

// Execute runs a block's commands. It returns the block's text with the printed output,
// and an error if that differs from the shown one.
func (s *Shell) Execute(ctx context.Context, b Block) (printed string, differs error) {
	steps := b.steps()
	for i, step := range steps {
		text, code, err := s.run(ctx, step)
		if err != nil {
			return "", fmt.Errorf("%s: %w", step.command, err)
		}
		want := 0
		if i == len(steps)-1 {
			want = b.Exit
		}
		if code != want {
			return "", fmt.Errorf("$ %s%s\nexit code %d, not %d", step.command, text, code, want)
		}
		if !step.silent && !b.agrees(step.shown, text) {
			err = fmt.Errorf("$ %sprinted:\n%sshown:\n%s", step.command, text, step.shown)
		} else {
			text = step.shown
		}
		printed += "$ " + step.command + text
		differs = errors.Join(differs, err)
	}
	return printed, differs
}

// run executes one command. Its output goes to a file, so that a background program
// that it starts does not block the page.
func (s *Shell) run(ctx context.Context, step step) (printed string, code int, err error) {
	out, err := os.CreateTemp("", "doctest-*")
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, out.Close(), os.Remove(out.Name())) }()
	flags := "-c"
	if step.silent {
		flags = "-ec"
	}
	c := exec.Command("bash", flags, step.command)
	c.Dir, c.Env, c.Stdout, c.Stderr = s.Dir, s.Env, out, out
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		return "", 0, err
	}
	s.ran = append(s.ran, c.Process.Pid)
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	defer stop()
	var exit *exec.ExitError
	if err := c.Wait(); err != nil && !errors.As(err, &exit) {
		return "", 0, err
	}
	text, err := os.ReadFile(out.Name())
	if ctx.Err() != nil {
		err = fmt.Errorf("%w\n%s", context.Cause(ctx), text)
	}
	return string(text), c.ProcessState.ExitCode(), err
}

// patience is how long background programs may take to end after SIGTERM.
const patience = 10 * time.Second

// Close ends the programs that the commands have left running.
func (s *Shell) Close() {
	signal := func(sig syscall.Signal) (left []int) {
		for _, group := range s.ran {
			if syscall.Kill(-group, sig) == nil {
				left = append(left, group)
			}
		}
		return left
	}
	signal(syscall.SIGTERM)
	for end := time.Now().Add(patience); len(signal(0)) > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	signal(syscall.SIGKILL)
}

// Lacks names a program that a block needs and that is not installed; "" if there is none.
func Lacks(b Block) string {
	i := slices.IndexFunc(b.Needs, func(program string) bool {
		_, err := exec.LookPath(program)
		return err != nil
	})
	if i < 0 {
		return ""
	}
	return b.Needs[i]
}

// Same compares a block with the file of the repository at root that it shows.
func Same(root string, b Block) error {
	text, err := os.ReadFile(filepath.Join(root, b.Same))
	if err == nil && !bytes.Equal(text, []byte(b.Text)) {
		err = fmt.Errorf("differs from %s, which it is said to show", b.Same)
	}
	return err
}
