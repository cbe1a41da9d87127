package control

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxPath is the maximum length of a path in sockaddr_un, with its final zero.
const maxPath = 108

// shorten returns a path of the same socket that fits into a socket address. A path that is
// too long is reached through a descriptor of its folder, which stays open until release is
// called.
func shorten(path string) (short string, release func(), err error) {
	if len(path) < maxPath {
		return path, func() {}, nil
	}
	dir, name := filepath.Split(path)
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, fmt.Errorf("open folder %s: %w", dir, err)
	}
	short = fmt.Sprintf("/proc/self/fd/%d/%s", fd, name)
	if len(short) >= maxPath {
		unix.Close(fd)
		return "", nil, fmt.Errorf("socket name %s is longer than a socket's name may be", name)
	}
	return short, func() { unix.Close(fd) }, nil
}
