package netns

import (
	"errors"
	"fmt"

	"github.com/containernetworking/plugins/pkg/ns"
	"golang.org/x/sys/unix"
)

// identity identifies a namespace without holding it, so that one can tell whether it still
// exists after it was released.
type identity struct {
	inode  uint64
	handle *unix.FileHandle // nil where the kernel gives none
}

func identify(space ns.NetNS) (identity, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(int(space.Fd()), &stat); err != nil {
		return identity{}, fmt.Errorf("stat the namespace: %w", err)
	}
	id := identity{inode: stat.Ino}
	// File handles of namespaces exist since Linux 6.18. Older kernels rely on the search
	// for holders.
	if handle, _, err := unix.NameToHandleAt(int(space.Fd()), "", unix.AT_EMPTY_PATH); err == nil {
		id.handle = &handle
	}
	return id, nil
}

// gone reports whether the namespace no longer exists. known is false if the kernel cannot
// tell.
func (id identity) gone() (gone, known bool) {
	if id.handle == nil {
		return false, false
	}
	mount, err := unix.Open("/proc/self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, false
	}
	defer unix.Close(mount)
	fd, err := unix.OpenByHandleAt(mount, *id.handle, unix.O_RDONLY|unix.O_CLOEXEC)
	switch {
	case err == nil:
		unix.Close(fd)
		return false, true
	case errors.Is(err, unix.ESTALE):
		return true, true
	}
	return false, false
}
