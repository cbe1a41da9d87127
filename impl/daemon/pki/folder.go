package pki

import (
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
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

// What the caller of Init or Issue can mend.
var (
	ErrExists   = errors.New("exists already; it is not overwritten")
	ErrMissing  = errors.New("is not there; pki issue makes the first certificate of a node")
	ErrReserved = errors.New("is the name of the authority's own files; give the node another one")
)

// reserved is the id whose files would be those of the authority.
const reserved = "ca"

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
	if err := absent(list); err != nil {
		return err
	}
	return write(dir, list)
}

// absent is an error if one of the files exists.
func absent(list []file) error {
	for _, f := range list {
		if _, err := os.Lstat(f.path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("pki: %s %w", f.path, errors.Join(err, ErrExists))
		}
	}
	return nil
}

// Issue makes a certificate for a node with the authority in dir. With renew it replaces the node's certificate, which
// must be there; otherwise it must not.
func Issue(dir, id string, renew bool) error {
	authority, err := loadAuthority(dir)
	if err != nil {
		return err
	}
	list, err := issued(authority, dir, id)
	if err != nil {
		return err
	}
	if !renew {
		err = absent(list)
	} else if cert := FilesIn(dir, id).Cert; !exists(cert) {
		err = fmt.Errorf("pki: %s %w", cert, ErrMissing)
	}
	if err != nil {
		return err
	}
	return write(dir, list)
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

// issued returns a node's new certificate and key as files.
func issued(authority *Authority, dir, id string) ([]file, error) {
	if id == reserved {
		return nil, fmt.Errorf("pki: %q %w", id, ErrReserved)
	}
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
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		return nil, fmt.Errorf("pki: %s expired on %s, and no certificate that it signs is valid; make a new authority in another folder (pki init) for both nodes",
			FilesIn(dir, "").CA, end.Format(time.DateOnly))
	}
	return &Authority{cert: pair.Leaf, der: pair.Certificate[0], key: key}, nil
}

// file is a file to write.
type file struct {
	path    string
	content []byte
	mode    fs.FileMode
}

// write writes files and replaces those that exist. Nothing has changed if one cannot be written, for example because
// the disk is full: each is written beside its place, and moved there when all are.
func write(dir string, list []file) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("pki: make the folder of the certificates: %w", err)
	}
	var beside []string
	defer func() {
		for _, path := range beside {
			_ = os.Remove(path) // those that were moved are gone
		}
	}()
	for _, f := range list {
		path, err := writeBeside(f)
		if path != "" {
			beside = append(beside, path)
		}
		if err != nil {
			return fmt.Errorf("pki: write a certificate file: %w", err)
		}
	}
	for i, f := range list {
		if err := os.Rename(beside[i], f.path); err != nil {
			return fmt.Errorf("pki: replace a certificate file: %w", err)
		}
	}
	return nil
}

// writeBeside writes a file under another name in its folder, and returns that name.
func writeBeside(f file) (path string, err error) {
	out, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+".*")
	if err != nil {
		return "", err
	}
	_, err = out.Write(f.content)
	return out.Name(), errors.Join(err, out.Chmod(f.mode), out.Sync(), out.Close())
}
