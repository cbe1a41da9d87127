package bpf

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"baton/impl/dataplane"
)

// LeftPins finds the folders other than keep with pinned programs that are still attached to
// the links. It searches all mounted BPF file systems. The links are those of the calling
// thread's network namespace; a missing link has no programs.
func LeftPins(links []string, keep string) ([]dataplane.LeftPins, error) {
	attached := map[link.ID]string{}
	for _, name := range links {
		if err := addAttached(attached, name); err != nil {
			return nil, err
		}
	}
	if len(attached) == 0 {
		return nil, nil
	}
	mounts, err := bpffsMounts()
	if err != nil {
		return nil, err
	}
	kept, _ := os.Stat(keep) // nil if there is none
	var left []dataplane.LeftPins
	for _, mount := range mounts {
		err := filepath.WalkDir(mount, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil // an unreadable folder belongs to another owner
			}
			if info, err := d.Info(); err != nil || kept != nil && os.SameFile(info, kept) {
				return nil // the same
			}
			if on := runFrom(path, attached); len(on) > 0 {
				left = append(left, dataplane.LeftPins{Dir: path, Links: on, InUse: inUse(path)})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("bpf: look for pins in %s: %w", mount, err)
		}
	}
	return left, nil
}

// addAttached adds the attachments at a link's ingress.
func addAttached(attached map[link.ID]string, name string) error {
	on, err := net.InterfaceByName(name)
	if err != nil {
		return nil // it does not exist
	}
	found, err := link.QueryPrograms(link.QueryOptions{Target: on.Index, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return fmt.Errorf("bpf: programs of link %s: %w", name, err)
	}
	for _, p := range found.Programs {
		if id, ok := p.LinkID(); ok {
			attached[id] = name
		}
	}
	return nil
}

// bpffsMounts returns the mount points of BPF file systems, each once.
func bpffsMounts() ([]string, error) {
	file, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("bpf: look for pins: %w", err)
	}
	defer file.Close()
	var mounts []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 2 && fields[2] == "bpf" && !slices.Contains(mounts, fields[1]) {
			mounts = append(mounts, fields[1])
		}
	}
	return mounts, lines.Err()
}

// runFrom returns the links that run programs pinned in a folder.
func runFrom(dir string, attached map[link.ID]string) (on []string) {
	for _, side := range []string{"client", "backend"} {
		for _, suffix := range []string{suffix4, suffix6} {
			l, err := link.LoadPinnedLink(filepath.Join(dir, side+suffix), nil)
			if err != nil {
				continue // nothing is pinned there, or something else
			}
			info, err := l.Info()
			l.Close()
			if err != nil {
				continue
			}
			if name, ok := attached[info.ID]; ok && !slices.Contains(on, name) {
				on = append(on, name)
			}
		}
	}
	return on
}

// inUse reports whether a process uses a folder of pins.
func inUse(dir string) bool {
	folder, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer folder.Close()
	return errors.Is(unix.Flock(int(folder.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
