package tree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// bpfFolder is where pinned maps live.
const bpfFolder = "/sys/fs/bpf"

// Sysctl folders: network sysctls belong to the namespace, the others to the machine.
const (
	parameters        = "/proc/sys"
	networkParameters = "/proc/sys/net"
)

// dataMount are the flags of mounts without programs or devices.
const dataMount = unix.MS_NOSUID | unix.MS_NODEV

// isolate gives the tree its own /proc and private folders.
func isolate(l Launch) error {
	if os.Getpid() != 1 {
		return fmt.Errorf("subject node: process %d is not the first of a PID namespace; only a scenario can start it", os.Getpid())
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", dataMount|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := protectParameters(); err != nil {
		return err
	}
	if err := unix.Mount("bpf", bpfFolder, "bpf", dataMount, ""); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("mount %s: %w", bpfFolder, err)
	}
	for _, dir := range l.Mounts {
		if err := unix.Mount("tmpfs", dir, "tmpfs", dataMount, ""); err != nil {
			return fmt.Errorf("mounts: %s: %w (create the folder)", dir, err)
		}
	}
	for _, dir := range l.Logs {
		if err := persist(dir, filepath.Join(l.Dir, filepath.Base(dir)), l.Mounts); err != nil {
			return fmt.Errorf("logs: %s: %w (create the folder)", dir, err)
		}
	}
	return unix.Sethostname([]byte(l.Node))
}

// protectParameters makes all sysctls read-only for the tree, except those of its network.
func protectParameters() error {
	err := errors.Join(
		unix.Mount(parameters, parameters, "", unix.MS_BIND, ""),
		unix.Mount(networkParameters, networkParameters, "", unix.MS_BIND, ""),
		unix.Mount("", parameters, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	if err != nil {
		return fmt.Errorf("protect %s: %w", parameters, err)
	}
	return nil
}

// persist redirects what is written into a folder to another folder that outlives the tree.
// It creates the folder inside a private one.
func persist(dir, to string, mounts []string) error {
	for _, private := range mounts {
		if within(dir, private) {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	if err := os.Chmod(to, 0o1777); err != nil { // daemons without root write there too
		return err
	}
	return unix.Mount(to, dir, "", unix.MS_BIND, "")
}

// within reports whether a path is a folder or below it.
func within(path, dir string) bool {
	relative, err := filepath.Rel(dir, path)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, "../")
}
