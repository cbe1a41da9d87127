package config

import (
	"errors"

	"baton/impl/daemon/pki"
)

// Files are the paths of the node's certificates, for pki.Load.
func (s Sync) Files() pki.Files { return pki.Files{CA: s.CA, Cert: s.Cert, Key: s.Key} }

// checkCertificates refuses a node that its peer would refuse.
func checkCertificates(d *document, c *Config) error {
	_, err := pki.Load(c.Sync.Files(), c.Node)
	var file *pki.FileError
	if errors.As(err, &file) {
		return d.fail("sync."+file.Part, "%s", file.Text)
	}
	return err
}
