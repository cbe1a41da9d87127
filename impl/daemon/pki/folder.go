package pki

import (
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Files are the paths of one node's files. Without Secret the heartbeat is not
// authenticated.
type Files struct{ CA, Cert, Key, Secret string }

// FilesIn returns the paths that Init and Issue use for a node's files.
func FilesIn(dir, id string) Files {
	return Files{
		CA:   filepath.Join(dir, "ca.crt"),
		Cert: filepath.Join(dir, id+".crt"),
		Key:  filepath.Join(dir, id+".key"),
		// Equal for both nodes.
		Secret: filepath.Join(dir, "pair.secret"),
	}
}

// authorityKey is the path of the authority's key. No node needs it.
func authorityKey(dir string) string { return filepath.Join(dir, "ca.key") }

// ErrExists means that a file already exists.
var ErrExists = errors.New("exists already; it is not overwritten")

// Init makes an authority, a certificate for each id and a shared secret, and writes them
// into dir. If one of the files exists, it writes none.
func Init(dir string, ids ...string) error {
	authority, err := NewAuthority("baton pair authority")
	if err != nil {
		return err
	}
	key, err := authority.keyPEM()
	if err != nil {
		return err
	}
	pair := FilesIn(dir, "")
	list := []file{{pair.CA, authority.PEM(), 0o644}, {authorityKey(dir), key, 0o600}, {pair.Secret, NewSecret(), 0o600}}
	for _, id := range ids {
		own, err := issued(authority, dir, id)
		if err != nil {
			return err
		}
		list = append(list, own...)
	}
	for _, f := range list {
		if _, err := os.Lstat(f.path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("pki: %s %w", f.path, errors.Join(err, ErrExists))
		}
	}
	return write(dir, os.O_EXCL, list)
}

// Issue makes a certificate for a node with the authority in dir. An existing one is
// replaced if renew is set; otherwise Issue fails.
func Issue(dir, id string, renew bool) error {
	authority, err := loadAuthority(dir)
	if err != nil {
		return err
	}
	list, err := issued(authority, dir, id)
	if err != nil {
		return err
	}
	if renew {
		return write(dir, os.O_TRUNC, list)
	}
	for _, f := range list {
		if _, err := os.Lstat(f.path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("pki: %s %w", f.path, errors.Join(err, ErrExists))
		}
	}
	return write(dir, os.O_EXCL, list)
}

// issued returns a node's new certificate and key as files.
func issued(authority *Authority, dir, id string) ([]file, error) {
	cert, key, err := authority.Issue(id)
	if err != nil {
		return nil, err
	}
	files := FilesIn(dir, id)
	return []file{{files.Cert, cert, 0o644}, {files.Key, key, 0o600}}, nil
}

// loadAuthority reads the authority of a folder.
func loadAuthority(dir string) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(FilesIn(dir, "").CA, authorityKey(dir))
	if err != nil {
		return nil, fmt.Errorf("pki: read the authority: %w", err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("pki: %s is not an authority that baton pki init made", FilesIn(dir, "").CA)
	}
	return &Authority{cert: pair.Leaf, der: pair.Certificate[0], key: key}, nil
}

// file is a file to write.
type file struct {
	path    string
	content []byte
	mode    fs.FileMode
}

// write writes files. how says what to do with an existing one, as a flag of os.OpenFile.
func write(dir string, how int, list []file) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("pki: make the folder of the certificates: %w", err)
	}
	for _, f := range list {
		out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|how, f.mode)
		if err == nil {
			_, err = out.Write(f.content)
			err = errors.Join(err, out.Close())
		}
		if err != nil {
			return fmt.Errorf("pki: write a certificate file: %w", err)
		}
	}
	return nil
}
