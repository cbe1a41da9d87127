package tree

import (
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaper starts processes and waits for every child of the tree, including orphaned
// daemons, whose parent is then the init.
type reaper struct {
	mu      sync.Mutex
	started sync.Cond
	waiting map[int]chan unix.WaitStatus
	onEmpty func() // called when only the init is left
}

func newReaper(alone func()) *reaper {
	r := &reaper{waiting: map[int]chan unix.WaitStatus{}, onEmpty: alone}
	r.started.L = &r.mu
	go r.run()
	return r
}

// script starts a script in its own session. Its exit status comes on the channel.
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
			r.onEmpty()
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

// how describes how a script ended.
func how(s unix.WaitStatus) string {
	if s.Signaled() {
		return "was killed by " + unix.SignalName(s.Signal())
	}
	return "ended with exit status " + itoa(s.ExitStatus())
}

// firstLine is the part of a script that messages show.
func firstLine(script string) string {
	line, more, _ := strings.Cut(strings.TrimSpace(script), "\n")
	if more != "" {
		line += " …"
	}
	return line
}
