package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Door is the way into a namespace of a pair from another process. It exists as
// long as the process that has built the pair.
type Door struct {
	Host  string `json:"host"`
	Path  string `json:"path"`  // what nsenter --net takes
	Inode uint64 `json:"inode"` // of the namespace that Path led to
}

// Doors are the ways into the namespaces of the world, in the hosts' order. There
// are none before Up.
func (w *World) Doors() []Door {
	if w.pair == nil {
		return nil
	}
	var doors []Door
	for _, h := range w.pair.Hosts() {
		doors = append(doors, Door{Host: h.name, Path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), h.space.Fd()), Inode: h.id.inode})
	}
	return doors
}

// Exec replaces this process by a program inside the namespace. It returns only if
// that cannot be done.
func (d Door) Exec(args []string) error {
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
	if stat.Ino != d.Inode { // the process id was given to another
		return fmt.Errorf("netns: enter %s: its pair is gone", d.Host)
	}
	// exec makes this thread the only one, so that the program begins where it is.
	runtime.LockOSThread()
	if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("netns: enter %s: %w", d.Host, err)
	}
	return fmt.Errorf("netns: %s in %s: %w", program, d.Host, unix.Exec(program, args, os.Environ()))
}
