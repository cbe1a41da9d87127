package netns

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// networkParameters are the kernel parameters that each namespace has of its own.
const networkParameters = "/proc/sys/net"

// parameters are the values of kernel parameters, by path.
type parameters map[string][]byte

// rememberParameters notes the kernel parameters of the host's network as they are at its
// first start, to which a power failure brings them back.
func (h *Host) rememberParameters() error {
	if h.booted != nil {
		return nil
	}
	return h.Do(func() (err error) {
		h.booted, err = readParameters()
		return err
	})
}

// resetParameters brings the parameters back that have changed since.
func (h *Host) resetParameters() error {
	return h.Do(func() error {
		now, err := readParameters()
		if err != nil {
			return err
		}
		var errs []error
		for path, value := range h.booted { // in any order: each
			if changed, there := now[path]; there && !bytes.Equal(changed, value) {
				errs = append(errs, os.WriteFile(path, value, 0))
			}
		}
		return errors.Join(errs...)
	})
}

// readParameters reads those of the calling thread's namespace that can be written.
func readParameters() (parameters, error) {
	found := parameters{}
	err := filepath.WalkDir(networkParameters, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Mode()&0o200 == 0 {
			return nil // it went with its device, or cannot be written
		}
		if value, err := os.ReadFile(path); err == nil {
			found[path] = value
		}
		return nil
	})
	return found, err
}
