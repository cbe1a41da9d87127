package netns

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// disk is a small tmpfs that is not attached to any mount tree: it disappears with its
// descriptor. Processes of this machine reach it by dir.
type disk struct {
	mount int
	dir   string
}

const (
	diskSize = 1 << 20
	ballast  = "ballast"
)

func newDisk() (_ *disk, err error) {
	context, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("netns: disk: %w", os.NewSyscallError("fsopen", err))
	}
	defer unix.Close(context)
	err = unix.FsconfigSetString(context, "size", strconv.Itoa(diskSize))
	if err == nil {
		err = unix.FsconfigCreate(context)
	}
	d := &disk{}
	if err == nil {
		d.mount, err = unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("netns: disk: %w", err)
	}
	d.dir = fmt.Sprintf("/proc/self/fd/%d", d.mount)
	return d, nil
}

// canMakeDisks says why this kernel cannot make disks; "" if it can.
func canMakeDisks() string {
	d, err := newDisk()
	if err != nil {
		return err.Error()
	}
	if err := d.close(); err != nil {
		return err.Error()
	}
	return ""
}

func (d *disk) close() error { return os.NewSyscallError("close", unix.Close(d.mount)) }

// fill writes until the disk is full. It returns the error that a write then gets.
func (d *disk) fill() (seen error, err error) {
	f, err := os.OpenFile(filepath.Join(d.dir, ballast), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	block := make([]byte, os.Getpagesize())
	for range 2 * diskSize / len(block) {
		if _, err = f.Write(block); err != nil {
			break
		}
	}
	if err = errors.Join(ignoring(err, unix.ENOSPC), f.Close()); err != nil {
		return nil, err
	}
	if seen = d.probe(); !errors.Is(seen, unix.ENOSPC) {
		return nil, fmt.Errorf("a write to the full disk returns %v", seen)
	}
	return seen, nil
}

// clear frees the space again.
func (d *disk) clear() error {
	if err := os.Remove(filepath.Join(d.dir, ballast)); err != nil {
		return err
	}
	return d.probe()
}

// probe writes one page to a file.
func (d *disk) probe() error {
	file := filepath.Join(d.dir, "probe")
	return errors.Join(os.WriteFile(file, make([]byte, os.Getpagesize()), 0o600), os.Remove(file))
}

// copyOut copies a file off the disk.
func (d *disk) copyOut(name, to string) error {
	from, err := os.Open(filepath.Join(d.dir, name))
	if err != nil {
		return err
	}
	defer from.Close()
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// ignoring returns err unless it is of the given kind.
func ignoring(err, kind error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}
