package tree

import (
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaper starts processes and waits for every child of the tree, whoever started it: a
// daemon's parent may have ended, and then the init is its parent.
type reaper struct {
	mu      sync.Mutex
	started sync.Cond
	waiting map[int]chan unix.WaitStatus
	alone   func() // called when no process but the init is left
}

func newReaper(alone func()) *reaper {
	r := &reaper{waiting: map[int]chan unix.WaitStatus{}, alone: alone}
	r.started.L = &r.mu
	go r.run()
	return r
}

// script starts a script in a session of its own. Its end comes on the channel.
func (r *reaper) script(text, dir string, env []string, files []uintptr) (pid int, ended <-chan unix.WaitStatus, err error) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		return 0, nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err = syscall.ForkExec(shell, []string{"sh", "-eu", "-c", text}, &syscall.ProcAttr{Dir: dir, Env: env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return 0, nil, err
	}
	end := make(chan unix.WaitStatus, 1)
	r.waiting[pid] = end
	r.started.Signal()
	return pid, end, nil
}

func (r *reaper) run() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		r.mu.Lock()
		switch {
		case errors.Is(err, unix.ECHILD) && len(r.waiting) == 0:
			r.mu.Unlock()
			r.alone()
			r.mu.Lock()
			for len(r.waiting) == 0 {
				r.started.Wait()
			}
		case err == nil && r.waiting[pid] != nil:
			r.waiting[pid] <- status
			delete(r.waiting, pid)
		}
		r.mu.Unlock()
	}
}

// how says how a script ended.
func how(s unix.WaitStatus) string {
	if s.Signaled() {
		return "was killed by " + unix.SignalName(s.Signal())
	}
	return "ended with exit status " + itoa(s.ExitStatus())
}

// firstLine is what a message shows of a script.
func firstLine(script string) string {
	line, more, _ := strings.Cut(strings.TrimSpace(script), "\n")
	if more != "" {
		line += " …"
	}
	return line
}
