// Package bpffs makes BPF file systems that no folder shows: what is pinned in one is
// reached by a path through the process that made it, and ends with that process at the
// latest. Labs and tests give each node one, so that nothing is left on the machine.
package bpffs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// FS is a file system that is mounted nowhere.
type FS struct{ root *os.File }

// New makes one. It needs root.
func New() (*FS, error) {
	context, err := unix.Fsopen("bpf", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("bpffs: fsopen: %w", err)
	}
	defer unix.Close(context)
	if err := unix.FsconfigCreate(context); err != nil {
		return nil, fmt.Errorf("bpffs: create: %w", err)
	}
	root, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("bpffs: fsmount: %w", err)
	}
	return &FS{os.NewFile(uintptr(root), "bpffs")}, nil
}

// Dir is a path to its root, for this process and for others of the same user and the
// same view of processes.
func (f *FS) Dir() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.root.Fd()) }

// Close gives it up: what is pinned in it goes, once nobody uses the path any more.
func (f *FS) Close() error { return f.root.Close() }
