package subject

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/pki"
)

// secrets are the certificates and keys of a run. They exist only in memory, and the nodes
// read them through this process's descriptors. So no key is left behind however the run
// ends, and none is in the results, which may be published.
type secrets struct {
	authority *pki.Authority

	mu    sync.Mutex
	files map[string]pki.Files // by node
	open  []*os.File
}

func newSecrets(nodes []string) (*secrets, error) {
	s := &secrets{files: map[string]pki.Files{}}
	if err := s.issue(nodes); err != nil {
		return nil, errors.Join(fmt.Errorf("subject: certificates: %w", err), s.close())
	}
	return s, nil
}

func (s *secrets) issue(nodes []string) error {
	var err error
	if s.authority, err = pki.NewAuthority("baton lab"); err != nil {
		return err
	}
	ca, err := s.store("ca", s.authority.PEM())
	if err != nil {
		return err
	}
	secret, err := s.store("pair.secret", pki.NewSecret())
	if err != nil {
		return err
	}
	for _, node := range nodes {
		cert, key, err := s.authority.Issue(node)
		if err != nil {
			return err
		}
		files := pki.Files{CA: ca, Secret: secret}
		if files.Cert, files.Key, err = s.keepPair(node, cert, key); err != nil {
			return err
		}
		s.files[node] = files
	}
	return nil
}

func (s *secrets) keepPair(node string, cert, key []byte) (certFile, keyFile string, err error) {
	if certFile, err = s.store(node+".crt", cert); err == nil {
		keyFile, err = s.store(node+".key", key)
	}
	return certFile, keyFile, err
}

// store writes data to a memfd and returns a path to it.
func (s *secrets) store(name string, data []byte) (string, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return "", fmt.Errorf("memfd %s: %w", name, err)
	}
	file := os.NewFile(uintptr(fd), name)
	s.open = append(s.open, file)
	if _, err := file.Write(data); err != nil {
		return "", fmt.Errorf("memfd %s: %w", name, err)
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd), nil
}

func (s *secrets) close() error {
	var errs []error
	for _, file := range s.open {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}
