package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace locates a host's network namespace for other processes. It is valid as long as
// the process that built the pair runs.
type Namespace struct {
	Host  string `json:"host"`
	Path  string `json:"path"`  // for nsenter --net
	Inode uint64 `json:"inode"` // detects a reused process id
}

// Namespaces lists the world's namespaces in the hosts' order. It is empty before Up.
func (w *World) Namespaces() []Namespace {
	if w.pair == nil {
		return nil
	}
	var namespaces []Namespace
	for _, h := range w.pair.Hosts() {
		namespaces = append(namespaces, Namespace{Host: h.name, Path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), h.space.Fd()), Inode: h.id.inode})
	}
	return namespaces
}

// Exec replaces this process by a program inside the namespace. It returns only on failure.
func (d Namespace) Exec(args []string) error {
	program, err := exec.LookPath(args[0])
	if err != nil {
		return fmt.Errorf("netns: %w", err)
	}
	space, err := os.Open(d.Path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("netns: enter %s: its pair is gone", d.Host)
	}
	if err != nil {
		return fmt.Errorf("netns: enter %s: %w", d.Host, err)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(space.Fd()), &stat); err != nil {
		return fmt.Errorf("netns: enter %s: %w", d.Host, err)
	}
	if stat.Ino != d.Inode { // the process id was reused
		return fmt.Errorf("netns: enter %s: its pair is gone", d.Host)
	}
	runtime.LockOSThread()
	if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("netns: enter %s: %w", d.Host, err)
	}
	return fmt.Errorf("netns: %s in %s: %w", program, d.Host, unix.Exec(program, args, os.Environ()))
}
