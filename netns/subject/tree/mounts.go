package tree

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// bpfFolder is where pinned maps live: a private mount there is of that kind.
const bpfFolder = "/sys/fs/bpf"

// isolate gives the tree its own view of processes, and private folders.
func isolate(l Launch) error {
	if os.Getpid() != 1 {
		return fmt.Errorf("subject node: process %d is not the first of a process namespace; a scenario starts it, nobody by hand", os.Getpid())
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, dir := range l.Mounts {
		kind := "tmpfs"
		if dir == bpfFolder {
			kind = "bpf"
		}
		if err := unix.Mount(kind, dir, kind, unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
			return fmt.Errorf("mounts: %s: %w (create the folder)", dir, err)
		}
	}
	return unix.Sethostname([]byte(l.Node))
}
