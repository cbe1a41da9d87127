package netns

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// networkParameters is the directory of the per-namespace sysctls.
const networkParameters = "/proc/sys/net"

// parameters are the values of sysctls, by path.
type parameters map[string][]byte

// rememberParameters notes the host's network sysctls at its first start; a power failure
// restores them.
func (h *Host) rememberParameters() error {
	if h.booted != nil {
		return nil
	}
	return h.Do(func() (err error) {
		h.booted, err = readParameters()
		return err
	})
}

// resetParameters restores the sysctls that have changed since.
func (h *Host) resetParameters() error {
	return h.Do(func() error {
		now, err := readParameters()
		if err != nil {
			return err
		}
		var errs []error
		for path, value := range h.booted { // order does not matter
			if changed, there := now[path]; there && !bytes.Equal(changed, value) {
				errs = append(errs, os.WriteFile(path, value, 0))
			}
		}
		return errors.Join(errs...)
	})
}

// readParameters reads the writable sysctls of the calling thread's namespace.
func readParameters() (parameters, error) {
	found := parameters{}
	err := filepath.WalkDir(networkParameters, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Mode()&0o200 == 0 {
			return nil // its device is gone, or it cannot be written
		}
		if value, err := os.ReadFile(path); err == nil {
			found[path] = value
		}
		return nil
	})
	return found, err
}
